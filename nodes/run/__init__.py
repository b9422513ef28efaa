"""Nodes for the run itself: its values, its answer, its log, its end."""
