"""Tracking: from a payload to its answer, in six rooms; only `pipeline`, `spool` and `operations` wait for anything."""
