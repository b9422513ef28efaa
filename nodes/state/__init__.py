"""Nodes that keep values from one firing of a scheduled flow to the next."""
