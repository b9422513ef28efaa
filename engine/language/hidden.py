"""Entries of a scope that functions use, and that no expression can read by a name of its own."""

from typing import Final

DRAW: Final = "draw"  # of a node's scope: what its draws depend on, a text
HASH_KEYS: Final = "hash_keys"  # the project's secrets for keyed hashes, by name


class AnyKey:
    """Stands for the hash keys while a flow is checked: each name has a key."""

    def get(self, name: str) -> str:
        """Return a key."""
        return name
