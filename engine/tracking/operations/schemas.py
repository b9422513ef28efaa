"""The schemas of a project as operators see them: declared and learnt fields, and how many values were refused."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol

from engine.ports.kinds import REJECTED, SEARCHABLE
from engine.ports.learning import LearningNotes, all_learnt
from engine.ports.records import Rejected
from engine.ports.store import Searches
from engine.problem import did_you_mean
from engine.project.project import Project
from engine.schema.schema import Learnt, Schema
from engine.search.field import Field
from engine.search.page import MAX_LIMIT
from engine.search.query import AllOf, Exists, Is, Query


class SchemaStore(LearningNotes, Searches, Protocol):
    """The roles of a store that describing schemas needs."""


class NoSuchCollection(Exception):
    """No field of events of this type is declared or learnt. The message suggests the one that was probably meant."""


async def describe_schemas(store: SchemaStore, project: Project) -> list[dict[str, Any]]:
    """Return all collections with declared or learnt fields as documents, by name. Raises `Unavailable`."""
    learnt = await all_learnt(store)
    return [
        _described(name, project.schemas.get(name), learnt.get(name, Learnt()))
        for name in sorted({*project.schemas, *learnt})
    ]


async def describe_schema(store: SchemaStore, project: Project, collection: str) -> dict[str, Any]:
    """Return a collection as a document, with the number of refused values of each field.

    `refused_more` says that there are more than were counted. Raises `NoSuchCollection` and `Unavailable`.
    """
    described = await describe_schemas(store, project)
    names = [one["schema"] for one in described]
    if collection not in names:
        help = did_you_mean(collection, names) or "events of a source with a schema bring the first ones"
        raise NoSuchCollection(f"no field of `{collection}` is declared or learnt; {help}")
    document = described[names.index(collection)]
    counted, more = await _refused(store, collection)
    for one in document["fields"]:
        one["refused"] = counted[one["name"]]
    return document | {"refused_more": more}


def _described(name: str, schema: Schema | None, learnt: Learnt) -> dict[str, Any]:
    document = {"schema": name, "description": schema.description if schema is not None else ""}
    return document | {"fields": list(_fields(schema, learnt)), "full": learnt.full}


def _fields(schema: Schema | None, learnt: Learnt) -> Iterable[dict[str, Any]]:
    """Yield the fields: declared ones in the order of their file, then those that are only learnt, in theirs."""
    declared = schema.fields if schema is not None else {}
    for name in (*declared, *[name for name in learnt.fields if name not in declared]):
        field, claim = declared.get(name), learnt.fields.get(name)
        described: dict[str, Any] = {"name": name}
        if field is not None:
            described |= {"type": str(field.type), "from": "declared", "description": field.description}
        if claim is not None:
            since = {"since": claim.at, "event": claim.event}
            of_claim = {"learnt": str(claim.type)} if field is not None else {"type": str(claim.type), "from": "learnt"}
            described |= of_claim | since
        yield described


async def _refused(store: Searches, collection: str) -> tuple[Counter[str], bool]:
    """Return how many values of each field were refused, of the newest `MAX_LIMIT`; and whether there are more."""
    in_words = Is(Field("reason", type="prose"), (f" of `{collection}` is ",))
    query = Query(SEARCHABLE[REJECTED.name], AllOf((Exists(Field("event")), in_words)))
    page = await store.search(query, MAX_LIMIT)
    fields = [_name_at(one.at_field) for one in page.items if isinstance(one, Rejected)]
    return Counter(fields), page.after is not None


def _name_at(pointer: str) -> str:
    """Return the name of the field at a JSON pointer in an event."""
    return pointer.removeprefix("/properties/").replace("~1", "/").replace("~0", "~")
