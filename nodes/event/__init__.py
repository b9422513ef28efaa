"""Nodes that change the event or emit child events."""
