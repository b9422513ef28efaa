"""Flow tests: runs the cases of `*.test.yaml` files through a whole project, in memory."""
