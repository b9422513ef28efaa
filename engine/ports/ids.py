"""Ids that are derived rather than drawn, so that two first requests of one visitor agree."""

import hashlib
import hmac
from functools import lru_cache

PAIRS = 20_000  # of visitor and user whose ids are kept: a client sends the same ones again and again


def derived_id(secret: bytes, *parts: str) -> str:
    """32 hex characters that only the holder of `secret` can compute from `parts`."""
    text = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
    return hmac.digest(secret, text, "sha256").hex()[:32]


@lru_cache(PAIRS)
def pair_id(secret: bytes, source: str, visitor: str, user: str) -> str:
    """Return the id of a visitor and a user of a source; either may be empty."""
    return derived_id(secret, source, "visitor", visitor, user)


@lru_cache(PAIRS)
def pair_session_id(secret: bytes, source: str, visitor: str, user: str) -> str:
    """Return the id of the session of a visitor and a user who name none."""
    return derived_id(secret, source, "session", visitor, user)


def cause_of(secret: bytes, path: str, value: str) -> str:
    """The name of a link that an identity key causes. It can only be matched to a value with the secret."""
    return f"{path}:{derived_id(secret, 'key', path, value)[:16]}"


def short_hash(*parts: str) -> str:
    """32 hex characters that identify `parts`, for ids that need no secret."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
