"""Documents about the server and its upkeep: health, tasks, forgettings, segments, the fields of events."""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType, field

from api.documents.profile import AT
from engine.tracking.operations.claiming import Claiming
from engine.tracking.operations.reevaluation import SegmentProgress

TIME: Final = "2026-12-01T00:00:00Z"


class Addresses(Struct, frozen=True):
    """Where a visitor of the front page may go on."""

    name: str
    track: str
    schema: str
    openapi: str
    health: str


class Live(Struct, frozen=True):
    """The process lives."""

    status: Literal["live"]


class Ready(Struct, frozen=True):
    """Whether events can be taken now. `failing_targets` has the seconds until the next attempt at each."""

    status: str
    reason: str | None
    flows: int
    broken: list[str]
    spooled: int | UnsetType = UNSET
    failing_targets: dict[str, float] | UnsetType = UNSET


class Firing(Struct, frozen=True):
    """A firing in the log of a task."""

    due: str | None
    began: str | None
    took_ms: int
    outcome: str
    reason: str
    missed: int
    run: str | None
    events: int
    rejected: int
    log: list[str]


class TaskSummary(Struct, frozen=True):
    """A task or a flow with a schedule, as a list shows it."""

    task: str
    schedule: str
    state: Literal["new", "running", "paused", "waiting", "gone"]
    next: str | None
    last: str | None
    outcome: str | None


class Task(Struct, frozen=True):
    """A task or a flow with a schedule: its state, the values that it keeps, and the log of its firings."""

    task: str
    schedule: str
    state: Literal["running", "paused", "waiting", "gone"]
    next: str | None
    last: str | None
    values: dict[str, Any]
    log: list[Firing]


class FiringResult(Struct, frozen=True):
    """A firing that was asked for; it is `running` where it has not ended in time for the answer."""

    task: str
    running: bool
    firing: Firing | None


class Forgetting(Struct, frozen=True):
    """How far a forgetting is. `erased` counts documents by kind; `received` messages that targets keep. Times are ms.

    The last members are in the answer that begins it only.
    """

    forgetting: str
    status: Literal["erasing", "complete"]
    asked: int
    complete: int | None
    erased: dict[str, int]
    received: dict[str, int] | UnsetType = UNSET
    by_claims: list[str] | UnsetType = UNSET
    claims: list[Claiming] | UnsetType = UNSET
    claims_erased: list[Claiming] | UnsetType = UNSET


class Segment(Struct, frozen=True):
    """A segment, with the members of its file."""

    segment: str
    description: str
    manual: bool
    condition: str | UnsetType = UNSET
    lasting: str | UnsetType = field(name="for", default=UNSET)
    within: str | UnsetType = UNSET


class Segments(Struct, frozen=True):
    """The segments, and the progress of re-evaluating all profiles since the segments last changed."""

    segments: list[Segment]
    progress: SegmentProgress | None


class FieldOfEvents(Struct, frozen=True):
    """A field of events of one type. `from` says whether its type was declared or learnt, `since` (ms) from when."""

    name: str
    type: str
    origin: Literal["declared", "learnt"] = field(name="from")
    description: str | UnsetType = UNSET
    learnt: str | UnsetType = UNSET
    since: int | UnsetType = UNSET
    event: str | UnsetType = UNSET
    refused: int | UnsetType = UNSET


class SchemaOfEvents(Struct, frozen=True):
    """The fields of events of one type. Of one schema, also whether more values were `refused` than were counted."""

    schema: str
    description: str
    fields: list[FieldOfEvents]
    full: bool
    refused_more: bool | UnsetType = UNSET


ADDRESSES: Final = {
    "name": "Headrace",
    "track": "POST /track; /schema shows what it takes",
    "schema": "/schema",
    "openapi": "/schema/openapi.json",
    "health": "/health/ready",
}
READY: Final[dict[str, Any]] = {"status": "ready", "reason": None, "flows": 3, "broken": []}
NOT_READY: Final[dict[str, Any]] = {"status": "not ready", "reason": "the store is away", "flows": 3, "broken": []}
FIRING: Final[dict[str, Any]] = {
    "due": TIME,
    "began": TIME,
    "took_ms": 120,
    "outcome": "finished",
    "reason": "",
    "missed": 0,
    "run": None,
    "events": 25,
    "rejected": 0,
    "log": ["25 orders"],
}
FIRED: Final[dict[str, Any]] = {"task": "fetch-orders", "running": False, "firing": FIRING}
SUMMARY: Final[dict[str, Any]] = {
    "task": "fetch-orders",
    "schedule": "every 1h, catch-up one",
    "state": "waiting",
    "next": TIME,
    "last": TIME,
    "outcome": "finished",
}
TASK: Final[dict[str, Any]] = {
    "task": "fetch-orders",
    "schedule": "every 1h, catch-up one",
    "state": "waiting",
    "next": TIME,
    "last": TIME,
    "values": {"cursor": 25},
    "log": [FIRING],
}
FORGETTING: Final[dict[str, Any]] = {
    "forgetting": "f-1",
    "status": "complete",
    "asked": AT,
    "complete": AT + 60_000,
    "erased": {"profiles": 1, "events": 12},
}
SEGMENT: Final[dict[str, Any]] = {
    "segment": "customers",
    "description": "People who have bought",
    "manual": False,
    "condition": "profile.traits.orders > 0",
}
SCHEMA: Final[dict[str, Any]] = {
    "schema": "order-placed",
    "description": "",
    "fields": [{"name": "total", "type": "DOUBLE", "from": "learnt", "since": AT, "event": "order-1"}],
    "full": False,
}
