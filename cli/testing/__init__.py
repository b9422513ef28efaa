"""Playing flow tests: cases of `*.test.yaml` through a whole project, in memory."""
