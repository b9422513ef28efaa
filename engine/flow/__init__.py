"""Flows: what a node is, the registry, the graph and its compiled plan, the run machine, asks, traces."""
