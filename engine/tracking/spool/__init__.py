"""Payloads kept on this machine while the store is away."""
