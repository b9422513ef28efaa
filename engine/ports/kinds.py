"""The kinds of stored records: one row each, over which stores, erasure, export, retention and search iterate.

To add a kind: define its Struct in `records.py`, add a row here, and let a unit carry it in `Unit.records` (or
`Unit.changes`, if it is versioned). No store needs a line: new tables and indices are made when a store is opened.
Profiles, sessions, keys and deduplication marks have rules of their own and are no kinds.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.ports.audit import AuditEntry
from engine.ports.kind import AnyKind, Kind, Owners
from engine.ports.login import Login
from engine.ports.outbox import StoredDelivery
from engine.ports.records import CacheEntry, Rejected, RunRecord, StoredEvent
from engine.ports.replay import REPLAYS
from engine.ports.run_counts import RUN_COUNTS
from engine.ports.task import Task
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.search.field import PROFILES, SESSIONS, Searchable

EVENTS: Final = Kind(
    name="events",
    record=StoredEvent,
    lifecycle="appended",
    time="received",
    owners=Owners(profile="profile", session="session"),
    indexed=("profile",),
    retained=True,
    search={
        "id": "word",
        "type": "word",
        "source": "word",
        "session": "word",
        "profile": "word",
        "origin": "word",
        "parent": "word",
        "received": "moment",
        "occurred": "moment",
        "time": "word",
        "properties": "free",
        "context": "free",
    },
    stand_ins={"occurred": ("time", "received")},
)
RUNS: Final = Kind(
    name="runs",
    record=RunRecord,
    lifecycle="appended",
    time="at",
    owners=Owners(
        profile="profile", session="session", others="other_profiles", shown=("trace",), withheld=("recording",)
    ),
    event="event",
    indexed=("event",),
    retained=True,
    search={
        "id": "word",
        "event": "word",
        "type": "word",
        "flow": "word",
        "version": "word",
        "outcome": "word",
        "kept": "word",
        "node": "word",
        "port": "word",
        "nodes": "word",
        "level": "word",
        "source": "word",
        "session": "word",
        "profile": "word",
        "at": "moment",
        "us": "number",
        "reason": "prose",
        "logs": "prose",
    },
)
REJECTED: Final = Kind(
    name="rejected",
    record=Rejected,
    lifecycle="appended",
    time="at",
    owners=Owners(profile="profile", session="session", named=True),
    event="event",
    retained=True,
    search={
        "id": "word",
        "event": "word",
        "source": "word",
        "session": "word",
        "profile": "word",
        "at": "moment",
        "reason": "prose",
    },
)
CACHE: Final = Kind(
    name="cache", record=CacheEntry, lifecycle="keyed", id="key", time="expires", owners=Owners(profile="profile")
)

DELIVERIES: Final = Kind(
    name="deliveries",
    record=StoredDelivery,
    lifecycle="versioned",
    time="at",
    owners=Owners(profile="profile", session="session", others="other_profiles", shown=("message",)),
    due="due",
    queue="queue",
    search={
        "id": "word",
        "target": "word",
        "queue": "word",
        "state": "word",
        "mode": "word",
        "flow": "word",
        "node": "word",
        "event": "word",
        "source": "word",
        "session": "word",
        "profile": "word",
        "at": "moment",
    },
)
WAITS: Final = Kind(
    name="waits",
    record=WaitingRun,
    lifecycle="versioned",
    time="at",
    owners=Owners(profile="profile", session="session", others="other_profiles", shown=("run",)),
    search={
        "id": "word",
        "flow": "word",
        "flow_version": "word",
        "event": "word",
        "source": "word",
        "session": "word",
        "profile": "word",
        "at": "moment",
    },
)
ARRIVALS: Final = Kind(
    name="arrivals",
    record=Arrival,
    lifecycle="versioned",
    time="at",
    owners=Owners(profile="profile", session="session", others="other_profiles", shown=("awaited",)),
    search={
        "id": "word",
        "event": "word",
        "source": "word",
        "session": "word",
        "profile": "word",
        "at": "moment",
    },
)
TASKS: Final = Kind(name="tasks", record=Task, lifecycle="versioned", time="at", due="next")
AUDIT: Final = Kind(
    name="audit",
    record=AuditEntry,
    lifecycle="appended",
    time="at",
    retained=True,
    search={
        "id": "word",
        "who": "word",
        "role": "word",
        "via": "word",
        "action": "word",
        "outcome": "word",
        "subjects": "word",
        "at": "moment",
        "reason": "prose",
        "detail": "prose",
    },
)
LOGINS: Final = Kind(name="logins", record=Login, lifecycle="versioned", time="at", due="idle_at")

KINDS: Final[tuple[AnyKind, ...]] = (
    *(EVENTS, RUNS, REJECTED, CACHE, DELIVERIES, WAITS, ARRIVALS, TASKS),
    *(AUDIT, LOGINS, RUN_COUNTS, REPLAYS),
)
_OWNED: Final = [kind for kind in KINDS if kind.owners != Owners()]
ERASABLE: Final = (
    *("profiles", "sessions", *(kind.name for kind in _OWNED if kind.lifecycle != "keyed")),
    *("keys", "marks", *(kind.name for kind in _OWNED if kind.lifecycle == "keyed")),
)
RETAINED: Final = tuple(kind.name for kind in KINDS if kind.retained)


def searchables(kinds: Sequence[AnyKind]) -> dict[str, Searchable]:
    """All searchable kinds of documents of a store of these kinds, by name: events, profiles and sessions first."""
    first, *others = [found for kind in kinds if (found := kind.searchable) is not None]
    return {each.name: each for each in (first, PROFILES, SESSIONS, *others)}


SEARCHABLE: Final[Mapping[str, Searchable]] = searchables(KINDS)
