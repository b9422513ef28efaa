"""Nodes that share values between runs for a limited time."""
