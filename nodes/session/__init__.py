"""Nodes that change the session or attach one."""
