"""Nodes that give consents and take them back."""
