"""Nodes that change the session, or attach one to the event."""
