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
    """What a step that a key causes is called. Without the secret nobody can try which value it was."""
    return f"{path}:{derived_id(secret, 'key', path, value)[:16]}"


@lru_cache(maxsize=4096)  # a session's id comes with each of its payloads
def is_placeholder(id: str) -> bool:
    """Whether a text is what programs send when they have no id; such a one never joins anybody."""
    if not id.isascii():  # look-alikes, and characters that nobody sees
        id = "".join(c for c in unicodedata.normalize("NFKC", id) if unicodedata.category(c) != "Cf")
    bare = id.strip().strip("'\"").strip().lower()
    return not bare or bare in PLACEHOLDERS


def short_hash(*parts: str) -> str:
    """32 hex characters that stand for `parts`, for ids of things that need no secret."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
