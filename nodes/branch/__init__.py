"""Nodes that choose the port by which a run continues."""
