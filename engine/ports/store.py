"""The Protocols that storage and effects implement; `tests/storage/contract.py` runs on every store."""

from typing import Literal, Protocol, TypeVar, runtime_checkable

from msgspec import Struct

from engine.ports.erasure import DataSubject, Erased
from engine.ports.kind import Kind
from engine.ports.records import (
    CacheEntry,
    Counts,
    IdentityKey,
    ProcessedEvent,
    Rejected,
    RunRecord,
    Session,
    StoredEvent,
    Unit,
)
from engine.profile.document import Profile
from engine.project.retention import Dropped, Keep, ReportProgress, ignore_progress
from engine.search.page import Page
from engine.search.query import Query

MovedDocument = Literal["profile", "session", "key", "mark", "record", "note"]

R = TypeVar("R", bound=Struct)


class Conflict(Exception):
    """A document that the unit depends on has changed: nothing of the unit was written; load and run it again.

    `what` names the kind of document, `id` which one.
    """

    def __init__(self, what: MovedDocument, id: str) -> None:
        super().__init__(f"{what} {id} has moved")
        self.what = what
        self.id = id


class Unavailable(Exception):
    """The store cannot be read or written now; try again after `retry_after` seconds.

    A commit that raises it may have been made all the same. Anybody may read `reason`; only the log and the operator
    read `place`, such as a path, which is in the text of the exception.
    """

    def __init__(self, reason: str, retry_after: int = 1, *, place: str = "") -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason = reason
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """Too much waits for the store already, so nothing was tried. The store itself is available."""


class Contention(Unavailable):
    """A unit's documents change faster than the unit can run. The store itself is available."""


class TooLarge(Unavailable):
    """A unit that the store will never accept, so that retrying does not help. HTTP answers it with 413."""


class Commits(Protocol):
    """Writes units, rejected events and flow versions. Every method may raise `Unavailable`."""

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, durably, or nothing.

        Raises `Conflict` when a profile, a session or a versioned record is not at the expected version, when an id
        holds a key that is neither the key's new one nor one of its `over`, or when a mark exists already. Records of
        appended and keyed kinds are never refused.

        Raises `ValueError` for a unit that no store accepts: a write does not raise a version, two changes are of one
        record, or a unit without a profile writes sessions and also changes or deletes a stored versioned record.

        A store without transactions may write some sessions before the rest: in a unit with a profile those of other
        profiles, in one without all but the first. They stay written even if the unit then fails.
        """

    async def reject(self, rejected: tuple[Rejected, ...]) -> None:
        """Keep rejected events of a payload of which nothing else is committed."""

    async def remember_flow(self, version: str, name: str, text: str) -> None:
        """Keep the text of a flow's version, once."""


class Reads(Protocol):
    """Reads current documents by id or key. Every method may raise `Unavailable`."""

    async def secret(self) -> bytes:
        """The store's random key (32 bytes); it is made at its first use and never changes."""

    async def profile(self, id: str) -> Profile | None:
        """The document that `id` leads to along `merged_into`; None if no profile has that id.

        Its parts may be several groups (see `engine.profile.linking`): after an upgrade, or because a merge was begun
        and not committed. It then stands for all documents that it was made from, and the next commit over its version
        replaces them. An id that moves meanwhile may be absent from the parts.
        """

    async def as_stored(self, ids: tuple[str, ...]) -> dict[str, Profile]:
        """The stored documents at these ids, without following tombstones.

        For a tombstone only `version` and `merged_into` are guaranteed.
        """

    async def key(self, key: str) -> IdentityKey | None:
        """The id that holds a key, by the name of the key; None if no id has brought it."""

    async def session(self, source: str, id: str) -> Session | None:
        """A session by its source and id."""

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        """The marks of a source's events, by event id; events without one in the deduplication window are left out."""

    async def cached(self, key: str, now: int) -> CacheEntry | None:
        """A cache entry that has not expired at `now`."""

    async def record(self, kind: Kind[R], id: str) -> R | None:
        """A stored record by its id or key, the newest if there are several; a keyed record may have expired."""

    async def flow_version(self, version: str) -> str | None:
        """The text of a flow's version."""

    async def event(self, id: str) -> StoredEvent | None:
        """A stored event by its id."""

    async def events_of(self, profile: str, limit: int) -> list[StoredEvent]:
        """The newest events that were stored with this profile id, newest first."""

    async def run(self, id: str) -> RunRecord | None:
        """A stored run."""

    async def runs_of(self, event: str) -> list[RunRecord]:
        """The stored runs of an event, oldest first."""

    async def rejected(self, limit: int) -> list[Rejected]:
        """The newest rejected events, newest first."""


class Searches(Protocol):
    """Finds documents by their content. Every method may raise `Unavailable`."""

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """Documents for which `engine.search.match.matches` holds, newest first, at most `limit` of them.

        They are sorted by the time that `Searchable.newest` names; documents of about the same time are in any order.
        `after` is the cursor of the page before: documents stored meanwhile do not shift the next page. A page may be
        short, see `Page`; tombstones are not profiles. Documents that were just committed may be found a little later.
        Raises `BadCursor`.
        """


class Due(Protocol):
    """Finds due profiles and records. Every method may raise `Unavailable`."""

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of profiles that are due at `before` (ms), at most `limit`, those due longest first.

        Tombstones are never due. Profiles that were just committed may be found a little later.
        """

    async def due_records(self, kind: Kind[R], before: int, limit: int, queue: str | None = None) -> list[R]:
        """The records of a versioned kind that are due at `before` (ms), at most `limit`, those due longest first.

        With a `queue`, of a kind that has queues, only those in it. Records that were just committed may be found a
        little later.
        """

    async def count_due(self, kind: Kind[R], before: int, queue: str) -> int:
        """The number of records in a queue that are due at `before` (ms), about."""


class Erases(Protocol):
    """Erases the documents of a profile. Every method may raise `Unavailable`."""

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """`ids`, the ids of all tombstones that lead to one of them, and the sessions of all these ids.

        The answer is complete as of now. A merge that was begun and not committed leads nowhere.
        """

    async def remove(self, id: str, version: int) -> None:
        """Erase the document of a profile or a tombstone. Raises `Conflict` when it is not at that version."""

    async def erase(self, subject: DataSubject) -> Erased:
        """Erase all documents of the data subject except the profile documents themselves, which `remove` erases.

        Call it again afterwards: it may miss documents that are written meanwhile. Returns how many were found.
        """

    async def expunge(self) -> None:
        """Remove all traces of erased documents from the files. May take long; serving goes on meanwhile."""


class Notes(Protocol):
    """Stores small documents by name. Every method may raise `Unavailable`."""

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes with names that start with `beginning`, by name."""

    async def note(self, name: str) -> bytes | None:
        """The bytes that were last stored under a name; None if there are none."""

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Store a note durably, replacing any earlier one of that name."""

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Write a note, durably, if its stored bytes are still `expected` (None: there is no such note).

        Returns whether the note was written. After `Unavailable` it may have been written all the same: read it to
        find out. Two writers must never write equal bytes: a store may recognize its own lost write only by them.
        """


class Upkeep(Protocol):
    """Prepares the store, drops old records and reports its state. Every method may raise `Unavailable`."""

    async def migrate(self) -> list[str]:
        """Create or upgrade the schema. Returns a line for each change; empty if nothing changed.

        May be run again at any time, also by several processes at once.
        """

    async def preview_migration(self) -> list[str]:
        """Return a line for each change that `migrate` would make to stored data; empty if nothing. Writes nothing.

        A store that is upgraded when it is opened has nothing left to change.
        """

    async def forget_marks(self, before: int) -> int:
        """Drop deduplication marks and expired keyed records from before a time (ms). Returns how many marks."""

    async def expired(self, keep: Keep) -> Dropped:
        """Count what `retain` would drop now."""

    async def retain(self, keep: Keep, report: ReportProgress = ignore_progress) -> Dropped:
        """Drop records from before the times of `keep`; serving goes on meanwhile.

        A store that keeps documents by the month drops a month when all of it is older. Nothing newer is ever dropped.
        `report` is called from time to time with the number of records dropped so far, by kind.
        """

    async def unsettled(self, limit: int) -> list[str]:
        """Ids of profiles that a unit began to merge, where the unit was not committed, at most `limit`.

        No process has written there for some seconds. `profile` returns them with all that they were to be merged with;
        a commit over its version settles which of it belongs together. Empty for a store with transactions.
        """

    async def counts(self) -> Counts:
        """Return the number of documents of each kind in the store."""

    async def ready(self) -> str | None:
        """None if the store accepts writes; otherwise the reason why not."""

    async def close(self) -> None:
        """Complete the pending writes and close files and connections. May be called twice."""


class Store(Commits, Reads, Searches, Due, Erases, Notes, Upkeep, Protocol):
    """All roles of a store."""


@runtime_checkable
class Sweepable(Protocol):
    """A store that finishes work in the background, such as commits that a crash interrupted."""

    async def sweep(self) -> int:
        """Finish such work. Returns how many documents were handled. May run in several processes at once."""
