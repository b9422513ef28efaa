"""Measures a server under attack and under more load than it can process."""
