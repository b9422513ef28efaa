"""The templates of indices: their settings and mappings, as data.

Raise `SCHEMA` whenever something here or in `mapping` changes. Rows of `engine/ports/kinds.py` need no new schema: when
a store is opened, new kinds get their templates and indices, and known ones the fields that were added to them.
"""

from collections.abc import Sequence

from msgspec import Struct

from storage.elasticsearch.mapping import COMMITTING, COUNT, FLAG, FREE, KEPT, TIME, WORD, Fields
from storage.elasticsearch.names import Names

SCHEMA = 6

_SETTINGS: Fields = {
    "index": {
        "number_of_shards": 1,  # compare-and-set goes by the order of one shard
        "auto_expand_replicas": "0-1",
        "refresh_interval": "5s",
        "translog": {"durability": "request"},
        "merge": {"policy": {"expunge_deletes_allowed": 0}},  # percent of deleted documents that `expunge` may leave
    }
}
CHANGEABLE: Fields = {"index": {"merge": _SETTINGS["index"]["merge"]}}  # of an existing index
DUE_REFRESH = "1s"  # of kinds that are searched for what is due


class IndexTemplate(Struct, frozen=True):
    """`name` follows the prefix; `parts` says that there is one index for each month or week."""

    name: str
    fields: Fields
    parts: bool = False
    refresh: str | None = None  # interval, if it is not the usual one


OWN = (
    IndexTemplate(
        "profiles",
        {
            **COMMITTING,
            "id": WORD, "version": COUNT, "rewrites": COUNT, "doc": KEPT, "live": FLAG, "merged_into": WORD,
            "open": FLAG, "frozen": KEPT, "ids": WORD, "created": TIME, "updated": TIME, "segments": WORD,
            "traits": FREE, "pii": FREE, "consents": FREE, "due": COUNT,
        },
    ),
    IndexTemplate(
        "sessions",
        {
            **COMMITTING,
            "source": WORD, "id": WORD, "version": COUNT, "doc": KEPT, "profile": WORD, "created": TIME,
            "properties": FREE, "context": FREE,
        },
    ),
    IndexTemplate("keys", {"key": WORD, "id": WORD, "user": KEPT}),
    IndexTemplate("meta", {"kind": WORD, "text": KEPT, "number": COUNT}),
    IndexTemplate(
        "marks",
        {
            **COMMITTING,
            "at": COUNT, "profile": WORD, "source": WORD, "session": WORD, "doc": KEPT, "on": KEPT,
        },
        parts=True,
    ),
)  # fmt: skip


def index_templates(names: Names) -> Sequence[IndexTemplate]:
    """The templates of all indices of a store."""
    kinds = [
        IndexTemplate(index.kind.name, index.fields, index.monthly, DUE_REFRESH if index.kind.due is not None else None)
        for index in names.kinds
    ]
    return [*OWN, *kinds]


def mappings(template: IndexTemplate) -> Fields:
    """The mappings of an index."""
    return {"dynamic": "strict", "_meta": {"schema": SCHEMA}, "properties": template.fields}


def encodable(template: IndexTemplate, prefix: str) -> Fields:
    """A template as Elasticsearch takes it: the first write to an index makes the index, with its alias."""
    name = f"{prefix}-{template.name}"
    settings = _SETTINGS
    if template.refresh is not None:
        settings = {"index": {**_SETTINGS["index"], "refresh_interval": template.refresh}}
    inside: Fields = {"settings": settings, "mappings": mappings(template)}
    if template.parts:
        inside["aliases"] = {name: {}}
    return {
        "index_patterns": [f"{name}-*" if template.parts else name],
        "version": SCHEMA,
        "priority": 200,
        "_meta": {"schema": SCHEMA},
        "template": inside,
    }
