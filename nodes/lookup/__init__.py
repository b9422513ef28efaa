"""Nodes that read data: from a target over HTTP, or a profile from the store."""
