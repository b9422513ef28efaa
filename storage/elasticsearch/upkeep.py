"""Upkeep: forgets marks, keyed records that expired and deleted records; finds what is due; keeps notes."""

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct, json

from engine.ports.kind import Kind
from engine.ports.store import Unavailable
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import MetaSource, decode_doc, decode_meta_source
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.kind_index import KindIndex
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import create, replace
from storage.elasticsearch.periods import weeks_over_before
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.retention import drop_found
from storage.elasticsearch.search import Search
from storage.elasticsearch.writer import Writer
from storage.encoding import encode

SECRET = "secret"  # noqa: S105 - the id of the document that holds it
FORGOTTEN = "forgotten"  # the document that says up to when marks are forgotten
NOTE = "note: "
NOTES = 1000  # in one answer
MAX_TRIES = 20

R = TypeVar("R", bound=Struct)


class _Named(Struct, frozen=True):
    id: str


_named = json.Decoder(_Named).decode


class Upkeep:
    """Marks are forgotten by a time that all readers obey; an index is deleted when all of its week is forgotten."""

    def __init__(
        self, search: Search, reader: Reader, writer: Writer, loader: Loader, finisher: Finisher, names: Names
    ) -> None:
        self._search = search
        self._reader = reader
        self._writer = writer
        self._loader = loader
        self._finisher = finisher
        self._names = names

    # ---- marks and cache --------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Read up to when marks are forgotten, and which indices of marks there are."""
        found = await self._reader.get(self._names.meta, FORGOTTEN)
        if found is not None:
            self._finisher.forgotten = decode_meta_source(found.source).number or 0
        self._loader.weeks = set(await self._search.indices(f"{self._names.marks}-*"))

    async def forget(self, before: int) -> int:
        """Forget marks, keyed and deleted records from before a time; returns how many marks."""
        await self._finisher.idle()
        await self.look()
        names = self._names
        await self._search.refresh(names.marks)
        since = {"gte": self._finisher.forgotten} if self._finisher.forgotten else {}
        forgotten = await self._search.count(names.marks, {"range": {"at": {**since, "lt": before}}})
        await self._advance(before)
        for index in weeks_over_before(self._loader.weeks, before):
            if not await self._search.count(index, {"exists": {"field": "unfinished"}}):
                await self._search.drop(index)
                self._loader.weeks.discard(index)
        for keyed in names.keyed:
            await self._drop(keyed.name, keyed.field(keyed.kind.time), before)
        for versioned in names.versioned:
            await self._drop(versioned.name, "gone", before)
        return forgotten

    async def _advance(self, before: int) -> None:
        """Move the time of forgetting on; it never goes back, whichever process moves it."""
        source = encode(MetaSource(kind=FORGOTTEN, number=before))
        for _ in range(MAX_TRIES):
            found = await self._reader.get(self._names.meta, FORGOTTEN)
            number = (decode_meta_source(found.source).number or 0) if found else 0
            if number >= before:
                self._finisher.forgotten = number
                return
            if await self._writer.one(replace(self._names.meta, FORGOTTEN, source, found.at if found else None)):
                self._finisher.forgotten = before
                return
        raise Unavailable("other processes forget marks at the same time")

    async def _drop(self, index: str, field: str, before: int) -> None:
        await drop_found(self._search, self._writer, index, {"range": {field: {"lt": before}}})

    # ---- what is due, notes ---------------------------------------------------------------------------------------

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of profiles that are due, as the last refresh shows them."""
        query = {"range": {"due": {"lte": before}}}
        hits = await self._search.hits(
            self._names.profiles, query, [{"due": "asc"}, {"id": "asc"}], limit, source=["id"]
        )
        return [_named(hit.source).id for hit in hits]

    async def due_records(self, kind: Kind[R], before: int, limit: int, queue: str | None = None) -> list[R]:
        """The records of a versioned kind that are due, as the last refresh shows them."""
        index = self._names.of(kind)
        if kind.due is None:
            return []
        order = [{index.field(kind.due): "asc"}, {index.field(kind.id): "asc"}]
        query = _due_query(index, before, queue)
        hits = await self._search.hits(index.name, query, order, limit, source=["doc"])
        return [index.decode(decode_doc(hit.source).doc) for hit in hits]

    async def count_due(self, kind: Kind[R], before: int, queue: str) -> int:
        """The number of due records of a queue, as the last refresh shows them."""
        index = self._names.of(kind)
        return await self._search.count(index.name, _due_query(index, before, queue))

    async def note(self, name: str) -> bytes | None:
        """The note that was last kept under a name."""
        kept = await self.kept(f"note-{id_of(name)}")
        return None if kept is None else b64decode(kept.text or "")

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Keep a note in place of the one before."""
        id, text = f"note-{id_of(name)}", b64encode(doc).decode()
        source = encode(MetaSource(kind=f"{NOTE}{name}", text=text))
        for _ in range(MAX_TRIES):
            found = await self._reader.get(self._names.meta, id)
            if await self._writer.one(replace(self._names.meta, id, source, found.at if found else None)):
                return
            kept = await self.kept(id)  # a clash may be with the same write, of which the answer was lost
            if kept is not None and kept.text == text:
                return
        raise Unavailable("other processes keep the same note")

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Write a note if its stored bytes are still `expected`; returns whether it was written."""
        id, text = f"note-{id_of(name)}", b64encode(doc).decode()
        found = await self._reader.get(self._names.meta, id)
        stored = None if found is None else b64decode(decode_meta_source(found.source).text or "")
        if stored != expected:
            return False
        source = encode(MetaSource(kind=f"{NOTE}{name}", text=text))
        if await self._writer.one(replace(self._names.meta, id, source, found.at if found else None)):
            return True
        kept = await self.kept(id)  # the conflict may be with this very write, sent twice because an answer was lost
        return kept is not None and kept.text == text

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes whose names begin so."""
        await self._search.refresh(self._names.meta)
        query = {"prefix": {"kind": f"{NOTE}{beginning}"}}
        found: list[MetaSource] = []
        after: Sequence[str | int] = ()
        while hits := await self._search.hits(self._names.meta, query, [{"kind": "asc"}], NOTES, after=after):
            found += [decode_meta_source(hit.source) for hit in hits]
            after = hits[-1].sort
        return {source.kind.removeprefix(NOTE): b64decode(source.text or "") for source in found}

    # ---- small things that are kept for ever ------------------------------------------------------------------------

    async def secret(self) -> bytes:
        """The store's random key."""
        kept = await self.stored_secret()
        if kept is None:
            made = MetaSource(kind=SECRET, text=b64encode(os.urandom(32)).decode())
            kept = b64decode((await self.once(SECRET, made)).text or "")
        return kept

    async def stored_secret(self) -> bytes | None:
        """The same; None if there is none yet."""
        kept = await self.kept(SECRET)
        return None if kept is None else b64decode(kept.text or "")

    async def once(self, id: str, source: MetaSource) -> MetaSource:
        """Keep a document that must never change; returns the kept one, which may be that of another process."""
        if await self._writer.one(create(self._names.meta, id, encode(source))) is not None:
            return source
        return await self.kept(id) or source

    async def kept(self, id: str) -> MetaSource | None:
        """The document that was kept by `once`."""
        found = await self._reader.get(self._names.meta, id)
        return None if found is None else decode_meta_source(found.source)


def _due_query(index: KindIndex[Any], before: int, queue: str | None) -> dict[str, Any]:
    """The query for the due records of a versioned kind; of one queue, if it has queues and one is named."""
    kind = index.kind
    due: dict[str, Any] = {"range": {index.field(kind.due or ""): {"lte": before}}}
    if queue is None or kind.queue is None:
        return due
    return {"bool": {"filter": [due, {"term": {index.field(kind.queue): queue}}]}}
