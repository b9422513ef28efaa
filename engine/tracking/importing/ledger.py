"""The ledger of imports: how far each file has come, so that an import goes on after a kill, and is not made twice.

An import is named by the digest of its file, that of its mapping, and its source; its record is a note. A record
is written by compare-and-set after each part, all rows of which are stored then. So a kill costs the part under way: it
is sent again, and the ids of its events keep each to one effect. Of two processes that import one file, the first to
write goes on, and the other one fails at its next write (`OtherImport`), having stored nothing that the first does not.

A record is never deleted: it holds longer than the deduplication window of events.
"""

from typing import Final, Protocol

import msgspec
from msgspec import Struct, structs

PREFIX: Final = "import/"


class ImportKey(Struct, frozen=True):
    """The name of an import. `file` is the SHA-256 (hex) of its bytes, `mapping` the digest of how rows are read."""

    file: str
    mapping: str
    source: str

    @property
    def note(self) -> str:
        """The name of its note."""
        return f"{PREFIX}{self.file}/{self.mapping}/{self.source}"


class ImportRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far an import has come. Times are in ms.

    `rows` have been done, in the order of the file: `stored` are events, of which `repeated` were so before; `refused`
    are in the rejected store, those of `forgotten` persons were dropped, and the mapping has left the others out. `by`
    is drawn for each run of an import. `file` is the name that it had.
    """

    file: str
    begun: int
    by: str
    rows: int = 0
    stored: int = 0
    refused: int = 0
    repeated: int = 0
    forgotten: int = 0
    finished: int | None = None


class ImportNotes(Protocol):
    """The part of a store that the ledger needs: see `Notes`."""

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes with names that start with `beginning`, by name."""

    async def note(self, name: str) -> bytes | None:
        """The stored bytes of a note."""

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Compare-and-set of a note."""


class AlreadyImported(Exception):
    """The file has been imported before. `record` says when."""

    def __init__(self, record: ImportRecord) -> None:
        super().__init__(record)
        self.record = record


class OtherImport(Exception):
    """Another process imports the same file; it has come as far as `record` says."""

    def __init__(self, record: ImportRecord) -> None:
        super().__init__(record)
        self.record = record


_decode = msgspec.json.Decoder(ImportRecord).decode
_encode = msgspec.json.Encoder().encode


class ImportLedger:
    """The ledger of one store. Every method may raise `Unavailable`."""

    def __init__(self, notes: ImportNotes) -> None:
        self._notes = notes

    async def records(self, file: str) -> dict[str, ImportRecord]:
        """Return the imports of a file, by the names of their notes."""
        found = await self._notes.notes(f"{PREFIX}{file}/")
        return {name: _decode(doc) for name, doc in found.items()}

    async def record(self, key: ImportKey) -> ImportRecord | None:
        """Return the record of an import; None if it was never begun."""
        doc = await self._notes.note(key.note)
        return None if doc is None else _decode(doc)

    async def begin(self, key: ImportKey, file: str, now: int, by: str, *, again: bool = False) -> ImportRecord:
        """Begin an import, or go on with one. Raises `AlreadyImported`, unless it is to be done `again`."""
        while True:
            doc = await self._notes.note(key.note)
            known = None if doc is None else _decode(doc)
            if known is not None and known.finished is not None and not again:
                raise AlreadyImported(known)
            if known is None or known.finished is not None:
                record = ImportRecord(file=file, begun=now, by=by)
            else:
                record = structs.replace(known, by=by)
            if await self._notes.replace_note(key.note, _encode(record), doc):
                return record

    async def advance(self, key: ImportKey, before: ImportRecord, after: ImportRecord) -> ImportRecord:
        """Replace a record as this process has written it. Returns the new one. Raises `OtherImport`."""
        if before == after or await self._notes.replace_note(key.note, _encode(after), _encode(before)):
            return after
        found = await self.record(key)
        if found == after:  # an earlier try of the same write has succeeded, and its answer was lost
            return after
        raise OtherImport(found or before)
