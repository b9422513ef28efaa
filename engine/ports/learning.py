"""Learning the types of fields: the first process that claims a field decides its type, for all of them.

The learnt fields of a collection are one note, `fields/COLLECTION`, and the names of all collections are another one.
Both are written by compare-and-set only, and nothing is ever taken out of them. So the type of a field never changes
once a process has read it, and the limits on their number hold exactly: what is full stays so, and a process that has
seen it full need not ask again.

A claim stands even if the unit that made it fails. Two writers may write equal bytes here, although `replace_note`
forbids it: then both have claimed the same, and it does not matter whose write it was.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from engine.ports.backoff import BackoffFormula
from engine.ports.store import Contention
from engine.schema.schema import MAX_COLLECTIONS, Learnt, LearntField
from engine.schema.value_type import read_type

FIELDS: Final = "fields/"  # the note of a collection, followed by its name
COLLECTIONS: Final = "collections"  # the note of the names of all collections
MAX_TRIES: Final = 24
BACKOFF: Final = BackoffFormula(first=0.002, longest=0.128)


class LearningNotes(Protocol):
    """The part of a store that learning needs: see `Notes`."""

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes with names that start with `beginning`, by name."""

    async def note(self, name: str) -> bytes | None:
        """The stored bytes of a note."""

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Compare-and-set of a note."""


class _Field(Struct, frozen=True):
    """A field of a note."""

    type: str
    at: int
    event: str


_decode_fields = msgspec.json.Decoder(dict[str, _Field]).decode
_decode_names = msgspec.json.Decoder(tuple[str, ...]).decode
_encode = msgspec.json.Encoder().encode


async def learnt_fields(notes: LearningNotes, collection: str) -> Learnt:
    """Return the fields of a collection that were learnt. Raises `Unavailable`."""
    return _learnt(await notes.note(FIELDS + collection))


async def all_learnt(notes: LearningNotes) -> dict[str, Learnt]:
    """Return the learnt fields of all collections, by their names. Raises `Unavailable`."""
    found = await notes.notes(FIELDS)
    return {name.removeprefix(FIELDS): _learnt(doc) for name, doc in sorted(found.items())}


async def learnt_collections(notes: LearningNotes) -> tuple[str, ...]:
    """Return the names of the collections with learnt fields. Raises `Unavailable`."""
    return _names(await notes.note(COLLECTIONS))


async def learn(notes: LearningNotes, collection: str, claims: Mapping[str, LearntField]) -> Learnt | None:
    """Claim fields of a collection. Returns all of its fields as they hold, by whomever they were claimed.

    A claim that finds the collection full is not among them. Returns None if there are `MAX_COLLECTIONS` others: then
    no field of this one can ever be learnt. Raises `Unavailable`, also as `Contention`.
    """
    if await notes.note(FIELDS + collection) is None:
        names = await _changed(notes, COLLECTIONS, lambda doc: _with_name(doc, collection))
        if collection not in _names(names):
            return None
    return _learnt(await _changed(notes, FIELDS + collection, lambda doc: _with_claims(doc, claims)))


async def _changed(notes: LearningNotes, name: str, change: Callable[[bytes | None], bytes | None]) -> bytes | None:
    """Change a note by compare-and-set. Returns its bytes, which may be unchanged."""
    for failures in range(MAX_TRIES):
        if failures:
            await asyncio.sleep(BACKOFF.pause(failures, hash(name) % 1000 / 1000))
        before = await notes.note(name)
        after = change(before)
        if after == before or (after is not None and await notes.replace_note(name, after, before)):
            return after
    raise Contention(f"the types of fields changed {MAX_TRIES} times while this payload claimed some")


def _with_name(doc: bytes | None, collection: str) -> bytes | None:
    names = _names(doc)
    return doc if collection in names or len(names) >= MAX_COLLECTIONS else _encode((*names, collection))


def _with_claims(doc: bytes | None, claims: Mapping[str, LearntField]) -> bytes | None:
    before = _learnt(doc)
    after = before.with_claims(claims)
    if after is before:
        return doc
    return _encode({name: _Field(str(one.type), one.at, one.event) for name, one in after.fields.items()})


def _names(doc: bytes | None) -> tuple[str, ...]:
    return () if doc is None else _decode_names(doc)


def _learnt(doc: bytes | None) -> Learnt:
    """Return the fields of a note; a type that this version does not know is left out, so the field has none."""
    fields = {} if doc is None else _decode_fields(doc)
    known = {name: (read_type(one.type), one) for name, one in fields.items()}
    return Learnt({name: LearntField(type, one.at, one.event) for name, (type, one) in known.items() if type})
