"""Nodes that add the profile to manual segments, or remove it from them."""
