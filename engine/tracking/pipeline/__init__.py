"""Load, run, queue, commit: the asynchronous part of tracking."""
