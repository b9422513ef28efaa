"""Keys as versions with schema 5 stored them: their names have the value, and a flag says that one is only claimed."""

from msgspec import Struct, json

from storage.elasticsearch.pending_writes import EarlierKey
from storage.encoding import encode


class EarlierKeySource(Struct, frozen=True, omit_defaults=True):
    """A key's document; one of today has no flag."""

    key: str
    id: str
    claim: bool = False


decode_earlier_key = json.Decoder(EarlierKeySource).decode


def earlier_key_source(key: EarlierKey) -> bytes:
    """A key's document as those versions have it, encoded."""
    return encode(EarlierKeySource(key.key, key.id, key.claim))
