"""The indices: their settings and mappings, as data. Raise `SCHEMA` whenever something here changes.

Roots are strict: a field that is not listed is a mistake of this program. Free values are `flattened`, so that no
stranger can make a field or a conflict of types; `doc` and what else has no mapping are kept as they came.
"""

from typing import Any

from msgspec import Struct

SCHEMA = 5

Fields = dict[str, Any]

LONGEST_TERM = 8191  # characters of up to four bytes: Lucene takes 32,766 bytes

_WORD: Fields = {"type": "keyword", "ignore_above": LONGEST_TERM}
_FREE: Fields = {"type": "flattened", "ignore_above": 1024, "depth_limit": 20}
_KEPT: Fields = {"type": "object", "enabled": False}
_TIME: Fields = {"type": "date", "format": "epoch_millis||strict_date_optional_time"}
_COUNT: Fields = {"type": "long"}
_FLAG: Fields = {"type": "boolean"}

_COMMITTING: Fields = {"pending": _KEPT, "recent": _KEPT, "by": _KEPT, "unfinished": _COUNT}
_ORDERED: Fields = {"stamp": _COUNT, "nth": {"type": "integer"}, "doc": _KEPT}

_SETTINGS: Fields = {
    "index": {
        "number_of_shards": 1,  # compare-and-set goes by places in one shard's order
        "auto_expand_replicas": "0-1",
        "refresh_interval": "5s",
        "translog": {"durability": "request"},
        "merge": {"policy": {"expunge_deletes_allowed": 0}},  # percent that `expunge` may leave
    }
}
CHANGEABLE: Fields = {"index": {"merge": _SETTINGS["index"]["merge"]}}  # of an index that is there


class Kind(Struct, frozen=True):
    """A kind of index. `name` follows the prefix; `parts` says that there is one for each month or week."""

    name: str
    fields: Fields
    parts: bool = False


KINDS = (
    Kind(
        "profiles",
        {
            **_COMMITTING,
            "id": _WORD, "version": _COUNT, "doc": _KEPT, "live": _FLAG, "merged_into": _WORD, "open": _FLAG,
            "frozen": _KEPT, "joining": _KEPT, "ids": _WORD, "created": _TIME, "updated": _TIME, "segments": _WORD,
            "traits": _FREE, "pii": _FREE, "consents": _FREE, "due": _COUNT,
        },
    ),
    Kind(
        "sessions",
        {
            **_COMMITTING,
            "source": _WORD, "id": _WORD, "version": _COUNT, "doc": _KEPT, "profile": _WORD, "created": _TIME,
            "properties": _FREE, "context": _FREE,
        },
    ),
    Kind("keys", {"key": _WORD, "id": _WORD, "claim": _FLAG}),
    Kind("cache", {"expires": _COUNT, "profile": _WORD, "doc": _KEPT}),
    Kind("meta", {"kind": _WORD, "text": _KEPT, "number": _COUNT}),
    Kind(
        "marks",
        {
            **_COMMITTING,
            "at": _COUNT, "profile": _WORD, "source": _WORD, "session": _WORD, "doc": _KEPT, "on": _KEPT,
        },
        parts=True,
    ),
    Kind(
        "events",
        {
            **_ORDERED,
            "id": _WORD, "type": _WORD, "source": _WORD, "session": _WORD, "profile": _WORD, "received": _TIME,
            "origin": _WORD, "parent": _WORD, "time": _WORD, "properties": _FREE, "context": _FREE,
        },
        parts=True,
    ),
    Kind(
        "runs",
        {
            **_ORDERED,
            "id": _WORD, "event": _WORD, "flow": _WORD, "version": _WORD, "outcome": _WORD, "at": _TIME,
            "source": _WORD, "profile": _WORD, "met": _WORD, "session": _WORD,
        },
        parts=True,
    ),
    Kind(
        "rejected",
        {**_ORDERED, "id": _WORD, "source": _WORD, "at": _TIME, "reason": _WORD, "session": _WORD,
         "profile": _WORD},
        parts=True,
    ),
)  # fmt: skip


def mappings(kind: Kind) -> Fields:
    """The mappings of an index of this kind."""
    return {"dynamic": "strict", "_meta": {"schema": SCHEMA}, "properties": kind.fields}


def template(kind: Kind, prefix: str) -> Fields:
    """The index template of a kind: whoever writes to an index first makes it, with its alias."""
    name = f"{prefix}-{kind.name}"
    inside: Fields = {"settings": _SETTINGS, "mappings": mappings(kind)}
    if kind.parts:
        inside["aliases"] = {name: {}}
    return {
        "index_patterns": [f"{name}-*" if kind.parts else name],
        "version": SCHEMA,
        "priority": 200,
        "_meta": {"schema": SCHEMA},
        "template": inside,
    }
