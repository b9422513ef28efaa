"""Entries: what a unit writes beside the document that commits it, kept there until those documents exist."""

import asyncio
import os
from base64 import urlsafe_b64encode
from typing import Any

from msgspec import Struct, field, json

from engine.ports.records import CacheEntry, IdentityKey, ProcessedEvent, Rejected, RunRecord, Session, StoredEvent
from engine.profile.document import Profile
from storage.elasticsearch.operation import Operation
from storage.encoding import encode

TOKEN = 12  # characters
_BEFORE = len('{"token":"')


class Extra(Struct, frozen=True, omit_defaults=True):
    """A profile beside the one that commits the unit, such as one that was split off."""

    profile: Profile
    expected: int
    view: dict[str, Any] | None = field(default=None, name="shown")


class Record(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is to be written. `token` names the unit's commit, `stamp` (µs) orders it among others.

    `marks` come with their indices; `taken` are ids whose tombstones are to be emptied and pointed on; `over` are keys
    that mere claims of others hold.
    """

    token: str
    stamp: int
    sessions: tuple[Session, ...] = ()
    marks: tuple[tuple[str, ProcessedEvent], ...] = ()
    events: tuple[StoredEvent, ...] = ()
    runs: tuple[RunRecord, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    cache: tuple[CacheEntry, ...] = ()
    profiles: tuple[Extra, ...] = ()
    taken: tuple[str, ...] = ()
    over: tuple[IdentityKey, ...] = ()

    @property
    def size(self) -> int:
        """How many documents are to be written."""
        return sum([len(getattr(self, field)) for field in self.__struct_fields__[2:]])


_decode = json.Decoder(Record).decode


class PendingWrites:
    """A record, and whether this process knows that its documents exist. There is one for each token."""

    __slots__ = ("finished", "record", "task", "text", "tidy")

    def __init__(self, record: Record, text: str) -> None:
        self.record = record
        self.text = text
        self.finished = False
        self.task: asyncio.Task[None] | None = None
        self.tidy: Operation | None = None  # what is to be done once it is finished

    @property
    def token(self) -> str:
        """The name of the commit."""
        return self.record.token


def new_token() -> str:
    """A name that no other commit has."""
    return urlsafe_b64encode(os.urandom(TOKEN * 3 // 4)).decode()


def token_in(text: str) -> str:
    """The token of an encoded record: it comes first."""
    return text[_BEFORE : _BEFORE + TOKEN]


def entry_of(record: Record) -> PendingWrites:
    """The entry of a new record."""
    return PendingWrites(record, encode(record).decode())


def entry_in(text: str) -> PendingWrites:
    """The entry of a stored record."""
    return PendingWrites(_decode(text), text)
