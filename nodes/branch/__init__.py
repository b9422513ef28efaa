"""Nodes that choose where a run goes on."""
