"""The stored records beside profiles: sessions, events, deduplication marks, runs, rejected events; the unit of work.

Times are ms since the epoch. All are plain data: an adapter may encode them as JSON by msgspec and decode them back.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType, field

from engine.language.written_time import read_written_time
from engine.ports.kind import AnyKind, Kind
from engine.profile.document import Profile

R = TypeVar("R", bound=Struct)


class Session(Struct, frozen=True, omit_defaults=True):
    """A visit. Its id is unique per source. `version` counts its commits; a session that is not stored yet has 0."""

    source: str
    id: str
    created: int
    profile: str | None = None
    version: int = 0
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


class StoredEvent(Struct, frozen=True, omit_defaults=True):
    """An event as it is stored, with the ids that were attached to it while it was processed."""

    id: str
    type: str
    source: str
    received: int
    session: str | None = None
    profile: str | None = None
    time: Any = None  # of the client, as ISO 8601 text in UTC; earlier versions stored what the client sent
    occurred: int | None = None  # only where it differs from `time`, or from `received` without one: see `occurred_at`
    origin: Literal["client", "system", "flow"] = "client"
    parent: str | None = None  # the event that emitted this one
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def occurred_at(self) -> int:
        """When the event occurred (ms): as stored, else by its time, else when it was received."""
        if self.occurred is not None:
            return self.occurred
        time = read_written_time(self.time)
        return self.received if time is None else time


class ProcessedEvent(Struct, frozen=True, omit_defaults=True):
    """The deduplication mark of an event id that has taken effect: its source, time, and the ids of the answer."""

    source: str
    event: str
    at: int
    session: str | None = None
    profile: str | None = None


class RunRecord(Struct, frozen=True, omit_defaults=True):
    """A workflow run that is stored, by policy. `trace` is the encoded trace (JSON).

    `other_profiles` are the ids of profiles beside the event's own whose data the run has read; stored as `met`.

    The fields from `type` on are those by which a run is found: the type of its event; why it is `kept` (`failed`,
    `failed-port`, `logged`, `debugged`, `sampled`, `paused`); the first node that left by a failure port, with the port
    and the shape of the reason; the highest level of its logs, and their texts; the duration in `us`; and the nodes
    that ran, as `id:port`. `share` is the share of which a sampled run is one.
    """

    id: str
    event: str
    flow: str
    version: str
    outcome: str
    at: int
    source: str
    profile: str | None = None
    trace: Raw = field(default_factory=lambda: Raw(b"{}"))
    other_profiles: tuple[str, ...] = field(default=(), name="met")
    session: str | None = None
    type: str | None = None
    kept: str | None = None
    node: str | None = None
    port: str | None = None
    reason: str | None = None
    level: str | None = None
    us: int | None = None
    nodes: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    share: float | None = None
    recording: Raw | UnsetType = UNSET  # see `engine.flow.recording`
    replay_of: str | None = None  # the run that was done again
    alone: bool = False  # all runs of its event failed, so that nothing of the event took effect
    waited: bool = False  # it is a later stretch of a run that has waited: what came before has taken effect


class Rejected(Struct, frozen=True, omit_defaults=True):
    """An event that could not be accepted, with its reason; replayable from `body`.

    With an `event`, it is one value of that stored event instead, which could not be cast to the type of its field.
    """

    id: str
    source: str
    at: int
    reason: str
    at_field: str = ""  # where in the event, as a JSON pointer
    session: str | None = None
    body: Raw = field(default_factory=lambda: Raw(b"null"))
    profile: str | None = None  # the id that its sender named, unchecked; for a value that of its event
    event: str | None = None  # the stored event that was left without the value in `body`


class IdentityKey(Struct, frozen=True):
    """A merge key, and the id that holds it. `key` is its name in links (`engine.profile.linking.key_link`).

    A claimed and a proven key are two keys. `over` are other ids over which a write may put this one. It is a property
    of the write and is not stored. `user` is that of the holder's part (`Part.user`): a store that may write a key
    before the profile of its holder keeps it, so that whoever finds the key knows whose it is; others need not.
    """

    key: str
    id: str
    over: tuple[str, ...] = ()
    user: str = ""


class CacheEntry(Struct, frozen=True, omit_defaults=True):
    """A value that flows share until `expires`. `profile` is the profile of the event for which it was stored."""

    key: str
    value: Any
    expires: int
    profile: str | None = None


class ProfileWrite(Struct, frozen=True):
    """`profile` is to be written if the stored version is still `expected` (0: it must not exist).

    `view` is the profile's view, if the writer has computed it; a store may make it searchable.
    """

    profile: Profile
    expected: int
    view: dict[str, Any] | None = None
    due_moved: bool = True  # whether `profile.due` may differ from what is stored


class SessionWrite(Struct, frozen=True):
    """`session` is to be written if the stored version is still `expected` (0: it must not exist)."""

    session: Session
    expected: int


class SessionRead(Struct, frozen=True):
    """The unit's decisions depend on this version of a session (0: on its absence)."""

    source: str
    id: str
    version: int


class RecordWrite(Struct, frozen=True):
    """A record of a versioned kind, to be written if the stored version is still `expected` (0: it must not exist)."""

    kind: AnyKind
    record: Struct
    expected: int

    @property
    def id(self) -> str:
        """The record's id."""
        return self.kind.id_of(self.record)


class RecordDelete(Struct, frozen=True):
    """A record of a versioned kind, to be deleted if the stored version is still `expected`.

    With 0 nothing is deleted: the unit depends on the absence of the record.
    """

    kind: AnyKind
    id: str
    expected: int


Changes = tuple[RecordWrite | RecordDelete, ...]

NO_RECORDS: Final[Mapping[str, tuple[Any, ...]]] = MappingProxyType({})
MEMBERS: Final = frozenset({"events", "runs", "rejected", "cache"})  # kinds that have a field of their own in a unit


class Unit(Struct, frozen=True, kw_only=True):
    """A unit of work: all changes by one tracked payload (or several of one profile), committed as one or not at all.

    `profiles` holds first the profile that commits the unit: of all that are written over a living document, the one
    with the lowest rank (created, id). The others follow: tombstones of merged profiles, profiles that are set apart,
    and tombstones that lead elsewhere from now on. `left_keys` are keys that are left to an id: each is written
    only if one of `over` holds it, which is no condition of the unit. `records` holds the records of
    further appended and keyed kinds by the name of the kind; `of` hides that some kinds have a field of their own.
    `changes` holds the writes and deletions of versioned records, at most one for each record.
    """

    profiles: tuple[ProfileWrite, ...] = ()
    sessions: tuple[SessionWrite, ...] = ()
    session_reads: tuple[SessionRead, ...] = ()
    keys: tuple[IdentityKey, ...] = ()
    left_keys: tuple[IdentityKey, ...] = ()
    marks: tuple[ProcessedEvent, ...] = ()
    events: tuple[StoredEvent, ...] = ()
    runs: tuple[RunRecord, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    cache: tuple[CacheEntry, ...] = ()
    records: Mapping[str, tuple[Any, ...]] = NO_RECORDS
    changes: Changes = ()

    def of(self, kind: Kind[R]) -> tuple[R, ...]:
        """The records of an appended or keyed kind."""
        found: tuple[R, ...] = getattr(self, kind.name) if kind.name in MEMBERS else self.records.get(kind.name, ())
        return found


Counts = Counter[str]  # how much a store holds: profiles (without tombstones), sessions, keys (that lead to a profile),
# and the records of each kind but keyed ones
