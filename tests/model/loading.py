"""Loading: from an id along the tombstones to the living document, finishing what the documents on the way carry."""

from typing import NamedTuple

from msgspec import structs

from tests.model.documents import ProfileDocument
from tests.model.finishing import finish, finish_document
from tests.model.process import Process, is_forgotten
from tests.model.store import Again, Steps, get, must

MAX_HOPS = 30


class Root(NamedTuple):
    """A living document as it was read, at version 0 one that is not stored."""

    id: str
    document: ProfileDocument
    version: int


class Frozen(NamedTuple):
    """An open tombstone as it was read, and the living document that it leads to."""

    id: str
    document: ProfileDocument
    version: int
    root: str


class Loaded(NamedTuple):
    """The living document that an id leads to, and the open tombstones on the way, nearest first."""

    root: Root
    frozen: list[Frozen]


def load(process: Process, id: str, *, cached: bool = False) -> Steps[Loaded]:
    """Load the document that an id leads to; `cached`: as this process wrote it last, if it did.

    Raises `Again` when a document has moved, or had to be finished first.
    """
    if cached:
        for name, (held, at_version) in process.held.items():
            if id in held.parts:
                return Loaded(Root(name, held, at_version), [])
    way: list[tuple[str, ProfileDocument, int]] = []
    at = id
    for _ in range(MAX_HOPS):
        document, version = yield from _read(process, at)
        if document is None or document.removed:
            if way and (document is not None or (yield from is_forgotten(at))):
                yield from _set_free(process, _frozen(way, at))
            if document is not None:
                raise Again  # forgotten meanwhile
            return Loaded(Root(at, ProfileDocument(), 0), _frozen(way, at))
        if document.into is None:
            frozen = _frozen(way, at)
            if not frozen and id not in document.parts:
                raise Again  # it has moved meanwhile
            if frozen and not process.wrong("no_reread"):
                yield from _read_again(way)
            return Loaded(Root(at, document, version), frozen)
        way.append((at, document, version))
        at = document.into
    raise Again


def _read(process: Process, id: str) -> Steps[tuple[ProfileDocument | None, int]]:
    """Read a document; what it carries is finished. An entry that rearranges profiles is finished first."""
    document, version = yield from get("profile/" + id, ProfileDocument)
    entries = document.pending if document is not None else ()
    if process.wrong("carried"):
        entries = tuple(entry for entry in entries if not entry.rearranges)
    if any(entry.rearranges for entry in entries):
        yield from finish_document(process, id)
        raise Again
    if not process.wrong("unfinished"):
        for entry in process.unfinished(entries):
            yield from finish(process, id, entry)
    return document, version


def _frozen(way: list[tuple[str, ProfileDocument, int]], root: str) -> list[Frozen]:
    return [Frozen(*each, root) for each in way if each[1].open]


def _read_again(way: list[tuple[str, ProfileDocument, int]]) -> Steps[None]:
    """Raises `Again` unless all tombstones are as they were: one may have been taken and set apart again meanwhile."""
    for id, _, before in way:
        _, version = yield from get("profile/" + id, ProfileDocument)
        if version != before:
            raise Again


def _set_free(process: Process, frozen: list[Frozen]) -> Steps[None]:
    """Let the last open tombstone on the way to a forgotten profile live again: nothing joined the two.

    The closed ones behind it are of forgotten ids. Raises `Again`.
    """
    if frozen and not process.wrong("frozen_stay"):
        id, document, version, _ = frozen[-1]
        yield from must("profile/" + id, structs.replace(document, into=None, open=False, meant=()), version)
    raise Again
