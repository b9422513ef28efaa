"""Flows: node types and their registry, the graph and its compiled plan, the machine of a run, asks, traces."""
