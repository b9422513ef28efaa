"""Nodes that ask: a target over HTTP, or the store for a profile."""
