"""Nodes that make texts."""
