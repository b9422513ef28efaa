"""Nodes that grant consents and revoke them."""
