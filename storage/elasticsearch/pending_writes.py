"""Pending writes: all writes of a unit beside the document that commits it, kept there until they are done."""

import asyncio
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct, ValidationError, defstruct, field, json

from engine.ports.records import IdentityKey, ProcessedEvent, RecordDelete, RecordWrite, Session
from engine.ports.store import Unavailable
from engine.profile.document import Profile
from storage.elasticsearch.document_id import IndexedId
from storage.elasticsearch.documents import Position
from storage.elasticsearch.kind_index import KindIndex
from storage.elasticsearch.operation import Operation
from storage.encoding import encode

TOKEN = 12  # characters
_BEFORE = len('{"token":"')


class Redirect(Struct, frozen=True, omit_defaults=True):
    """A tombstone that is written over the document at exactly `over`, at a version of its own."""

    id: str
    over: Position
    into: str
    version: int
    created: int


class SetApart(Struct, frozen=True, omit_defaults=True):
    """A profile that leaves another one; it is written over the document at exactly `over`."""

    profile: Profile
    over: Position
    view: dict[str, Any] | None = None


class Extra(Struct, frozen=True, omit_defaults=True):
    """A profile that left another one, as versions with schema 5 left it pending."""

    profile: Profile
    expected: int
    view: dict[str, Any] | None = field(default=None, name="shown")


class EarlierKey(Struct, frozen=True, omit_defaults=True):
    """A key as versions with schema 5 left it pending."""

    key: str
    id: str
    claim: bool = False


class PendingChange(Struct, frozen=True, omit_defaults=True):
    """A versioned record that is written over the version `expected` (0: it is created), or without `doc` deleted."""

    kind: str
    id: str
    expected: int = 0
    doc: str | None = None


class PendingUnit(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The writes themselves. `token` names the unit's commit, `stamp` (µs) orders it among others.

    `marks` come with their indices; with `marks_first` they must exist before the sessions are written. `left_keys`,
    `redirects` and `apart` are the identity writes, in the order in which they are done. `profiles`, `taken` and `over`
    are only in entries of versions with schema 5. Subclasses, made by `PendingFormat`, add a field for each appended
    and keyed kind.
    """

    token: str
    stamp: int
    marks_first: bool = False
    sessions: tuple[Session, ...] = ()
    marks: tuple[tuple[str, ProcessedEvent], ...] = ()
    left_keys: tuple[IdentityKey, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    apart: tuple[SetApart, ...] = ()
    profiles: tuple[Extra, ...] = ()
    taken: tuple[str, ...] = ()
    over: tuple[EarlierKey, ...] = ()
    changes: tuple[PendingChange, ...] = ()

    @property
    def size(self) -> int:
        """How many documents are to be written."""
        return sum([len(getattr(self, field)) for field in self.__struct_fields__[3:]])

    @property
    def moves_ids(self) -> bool:
        """Whether it has identity writes: until they are done, nothing may be read or written through its document."""
        return bool(self.left_keys or self.redirects or self.apart or self.profiles or self.taken)

    def of(self, index: KindIndex[Any]) -> tuple[Any, ...]:
        """The records of an appended or keyed kind."""
        records: tuple[Any, ...] = getattr(self, index.kind.name)
        return records


class PendingWrites:
    """A unit's pending writes, and whether this process knows that they are done. There is one for each token.

    `on` is the document that carries them, and `seen` when (seconds of the event loop's clock) it was known to do so.
    """

    __slots__ = ("finished", "on", "record", "seen", "task", "text", "tidy")

    def __init__(self, record: PendingUnit, text: str) -> None:
        self.record = record
        self.text = text
        self.on: IndexedId | None = None  # None: it was never committed by this process, nor read
        self.seen = 0.0
        self.finished = False
        self.task: asyncio.Task[None] | None = None
        self.tidy: Operation | None = None  # clears the entry once it is finished

    @property
    def token(self) -> str:
        """The name of the commit."""
        return self.record.token

    def is_carried_by(self, on: IndexedId) -> None:
        """Note that a document carries them now, as it was written or read a moment ago."""
        self.on, self.seen = on, asyncio.get_running_loop().time()


class PendingFormat:
    """How pending writes are kept as texts. It depends on the kinds of records that there are."""

    def __init__(self, indices: Sequence[KindIndex[Any]]) -> None:
        kinds = [index.kind for index in indices if index.kind.lifecycle != "versioned"]
        fields: list[Any] = [(kind.name, tuple[kind.record, ...], ()) for kind in kinds]  # type: ignore[name-defined]
        if clash := set(PendingUnit.__struct_fields__).intersection([kind.name for kind in kinds]):
            raise ValueError(f"no kind may be called {', '.join(clash)}")
        options: Any = {"frozen": True, "omit_defaults": True, "kw_only": True, "forbid_unknown_fields": True}
        self._type: Any = defstruct("PendingRecords", fields, bases=(PendingUnit,), **options)
        self._decode: Callable[[str], Any] = json.Decoder(self._type).decode

    def unit(self, token: str, stamp: int, **parts: Any) -> PendingUnit:
        """Pending writes of a new commit; `parts` are fields of `PendingUnit`, and records by the names of kinds."""
        unit: PendingUnit = self._type(token=token, stamp=stamp, **parts)
        return unit

    def stored(self, text: str) -> PendingWrites:
        """Pending writes as they were stored. Raises `Unavailable` if a newer program wrote them."""
        try:
            return PendingWrites(self._decode(text), text)
        except ValidationError as error:
            raise Unavailable(f"a newer program has left writes pending: {error}", retry_after=60) from error


def writes_of(record: PendingUnit) -> PendingWrites:
    """The pending writes of a new commit."""
    return PendingWrites(record, encode(record).decode())


def change_of(change: RecordWrite | RecordDelete) -> PendingChange:
    """A change of a versioned record as it is kept."""
    doc = encode(change.record).decode() if isinstance(change, RecordWrite) else None
    return PendingChange(change.kind.name, change.id, change.expected, doc)


def new_token() -> str:
    """A name that no other commit has."""
    return urlsafe_b64encode(os.urandom(TOKEN * 3 // 4)).decode()


def token_in(text: str) -> str:
    """The token of pending writes that are kept as a text: it comes first."""
    return text[_BEFORE : _BEFORE + TOKEN]
