"""Nodes that change the event or emit further ones."""
