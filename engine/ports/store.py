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

Moved = Literal["profile", "session", "key", "mark", "record", "note"]

R = TypeVar("R", bound=Struct)


class Conflict(Exception):
    """What the unit's decisions rest on has moved: nothing of the unit was written; load and run it again.

    `what` names the kind of document, `id` which one.
    """

    def __init__(self, what: Moved, id: str) -> None:
        super().__init__(f"{what} {id} has moved")
        self.what = what
        self.id = id


class Unavailable(Exception):
    """The store cannot take or give anything now; nothing was written. Try again after `retry_after` seconds."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Contention(Unavailable):
    """A unit's documents move faster than it can run. The store itself is there."""


class TooLarge(Unavailable):
    """A unit that the store will not take at any other time either."""


class Commits(Protocol):
    """Takes what is to be written. Every method may raise `Unavailable`."""

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, durably, or nothing.

        Raises `Conflict` when a profile, a session or a versioned record is not at the expected version, when a key is
        held by another id (unless that one is a mere claim, this one is not, and is to be written `over` it), or when a
        mark exists already. Records of appended and keyed kinds are never refused.
        """

    async def reject(self, rejected: tuple[Rejected, ...]) -> None:
        """Keep rejected events of a payload of which nothing else is committed."""

    async def remember_flow(self, version: str, name: str, text: str) -> None:
        """Keep the text of a flow's version, once."""


class Reads(Protocol):
    """Finds what is stored, by its name, as of now. Every method may raise `Unavailable`."""

    async def secret(self) -> bytes:
        """The store's random key (32 bytes), made at its first use and the same for ever."""

    async def profile(self, id: str) -> Profile | None:
        """The profile that `id` leads to along `merged_into`; None when nobody has that id."""

    async def as_stored(self, ids: tuple[str, ...]) -> dict[str, Profile]:
        """The documents at these ids themselves, where there are any: a tombstone is not followed.

        Of a tombstone nothing is sure but its version and where it leads.
        """

    async def key(self, key: str) -> IdentityKey | None:
        """The id that a merge key came in under."""

    async def session(self, source: str, id: str) -> Session | None:
        """A session by its source and id."""

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        """Those of a source's event ids that have taken effect within the deduplication window."""

    async def cached(self, key: str, now: int) -> CacheEntry | None:
        """A cache entry that has not expired at `now`."""

    async def record(self, kind: Kind[R], id: str) -> R | None:
        """A stored record by its id, or by its key, though it may have expired; of several the newest."""

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
    """Finds documents by what they hold. Every method may raise `Unavailable`."""

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """Documents for which `engine.search.match.matches` holds, newest first, at most `limit` of them.

        They come in the order of the time that `Searchable.newest` names, those of about the same time in any.
        `after` is the cursor of the page before: what is stored meanwhile moves nothing. A page may be short, see
        `Page`; tombstones are not profiles. What has just been committed may be found a little later. Raises
        `BadCursor`.
        """


class Due(Protocol):
    """Finds what is due. Every method may raise `Unavailable`."""

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of profiles whose `due` has come at `before` (ms), those that wait longest first, at most `limit`.

        Tombstones are never due. What has just been committed may be found a little later.
        """

    async def due_records(self, kind: Kind[R], before: int, limit: int) -> list[R]:
        """The records of a versioned kind that are due at `before` (ms), at most `limit`, first those due longest.

        What has just been committed may be found a little later.
        """


class Erases(Protocol):
    """Erases what belongs to a profile. Every method may raise `Unavailable`."""

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """`ids` with those of all tombstones that lead to one of them, and the sessions of all of these.

        All of them, as of now.
        """

    async def remove(self, id: str, version: int) -> None:
        """Erase the document of a profile or a tombstone. Raises `Conflict` when it is not at that version."""

    async def erase(self, subject: DataSubject) -> Erased:
        """Erase what belongs to these, but for the documents of the profiles themselves, which `remove` erases.

        May be repeated, and should be: what is written meanwhile may be missed. Returns how much was found.
        """

    async def expunge(self) -> None:
        """See that nothing of what was erased is left in the files. May take long; serving goes on meanwhile."""


class Notes(Protocol):
    """Keeps small documents by their names. Every method may raise `Unavailable`."""

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes whose names begin so."""

    async def note(self, name: str) -> bytes | None:
        """What was last kept under a name."""

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Keep a note, durably, in place of the one before."""

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Write a note, durably, if its stored bytes are still `expected` (None: there is no such note).

        Returns whether the note was written. After `Unavailable` it may have been written all the same: read it to
        find out. Two writers must never write equal bytes: a store may tell its own lost write only by them.
        """


class Upkeep(Protocol):
    """Prepares the store, keeps it small and says how it is. Every method may raise `Unavailable`."""

    async def migrate(self) -> list[str]:
        """Create or upgrade what the store rests on; gives in words what was done, [] when there was nothing to do.

        May be run again at any time, also by several processes at once.
        """

    async def forget_marks(self, before: int) -> int:
        """Drop deduplication marks, and keyed records that expired, from before a time (ms); returns how many marks."""

    async def expired(self, keep: Keep) -> Dropped:
        """What `retain` would drop now."""

    async def retain(self, keep: Keep, tell: ReportProgress = ignore_progress) -> Dropped:
        """Drop records from before the times of `keep`; serving goes on meanwhile.

        A store that keeps documents by the month drops a month when all of it is older. Nothing newer is ever dropped.
        `tell` is called now and then with what has been dropped so far.
        """

    async def counts(self) -> Counts:
        """How much the store holds."""

    async def ready(self) -> str | None:
        """None when the store can take writes; else why not."""

    async def close(self) -> None:
        """Finish what was begun and let go of files and connections. May be called twice."""


class Store(Commits, Reads, Searches, Due, Erases, Notes, Upkeep, Protocol):
    """All roles of a store."""


@runtime_checkable
class Sweepable(Protocol):
    """A store that has something to finish in the background, such as what a crash left half done."""

    async def sweep(self) -> int:
        """Finish it; gives how many documents were taken up. May run in several processes at once."""
