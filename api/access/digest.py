"""Digests of secrets that are random: what is stored of them, and what is compared."""

import hashlib


def digest(secret: str) -> bytes:
    """Return the SHA-256 of a secret: digests are of one length, so comparing them tells nothing about the secret's.

    Only for secrets that cannot be guessed, such as keys of 32 random bytes: passwords need a slow hash.
    """
    return hashlib.sha256(secret.encode()).digest()
