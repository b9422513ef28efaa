"""Nodes that change the profile, join it with another, or attach one."""
