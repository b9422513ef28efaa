"""Nodes about the run itself: its values, its answer, its log, its end."""
