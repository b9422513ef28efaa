"""Nodes that give consents and revoke them."""
