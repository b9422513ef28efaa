"""Nodes about places on Earth."""
