"""Ids that are derived rather than drawn, so that two first requests of one visitor agree."""

import hashlib
import hmac
import unicodedata
from functools import lru_cache

PLACEHOLDERS = frozenset(
    [
        "null",
        "none",
        "nil",
        "undefined",
        "anonymous",
        "guest",
        "nan",
        "true",
        "false",
        "0",
        "distinct_id",
        "not_authenticated",
        "unknown",
        "n/a",
        "[object object]",
        "(null)",
        "<null>",
        "-",
        "--",
        "[]",
        "{}",
        "00",
        "null@null",
        "none@none",
        "undefined@undefined.com",
    ]
)


def derived_id(secret: bytes, *parts: str) -> str:
    """32 hex characters that only the holder of `secret` can compute from `parts`."""
    text = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))
    return hmac.digest(secret, text, "sha256").hex()[:32]


def cause_of(secret: bytes, path: str, value: str) -> str:
    """The name of a link that an identity key causes. It can only be matched to a value with the secret."""
    return f"{path}:{derived_id(secret, 'key', path, value)[:16]}"


@lru_cache(maxsize=4096)  # each payload of a session repeats the session's id
def is_placeholder(id: str) -> bool:
    """Whether programs send this text when they have no id; such an id never joins two profiles."""
    if not id.isascii():  # look-alikes, and invisible characters
        id = "".join(c for c in unicodedata.normalize("NFKC", id) if unicodedata.category(c) != "Cf")
    bare = id.strip().strip("'\"").strip().lower()
    return not bare or bare in PLACEHOLDERS


def short_hash(*parts: str) -> str:
    """32 hex characters that identify `parts`, for ids that need no secret."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
