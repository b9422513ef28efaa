"""Document ids: hashes of the names that clients chose, because Elasticsearch takes ids of at most 512 bytes."""

from hashlib import blake2b

from msgspec import json

IndexedId = tuple[str, str]  # index and id

_encode = json.Encoder().encode


def id_of(*names: str) -> str:
    """The document id for names that clients may have chosen."""
    return blake2b(_encode(names), digest_size=16).hexdigest()
