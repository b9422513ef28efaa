"""Nodes that put the profile into segments that are kept by hand."""
