"""Documents about runs, rejected events, deliveries, counts, and pages of what a search has found."""

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType, field

from api.documents.profile import AT, ID, PROFILE, Profile
from engine.flow.message import Message
from engine.ports.audit import AuditEntry
from engine.ports.outbox import DeliveryAttempt, DeliveryMode, DeliveryState
from engine.ports.records import Session, StoredEvent
from engine.ports.run_counts import StoredRunCounts
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.tracking.unit.ledger import Totals


class EventOfRun(Struct, frozen=True):
    """The event of a run."""

    id: str
    type: str | UnsetType = UNSET


class ProfileOfRun(Struct, frozen=True):
    """The profile of a run, with its versions before and after it."""

    id: str
    version: list[int]


class Step(Struct, frozen=True):
    """A step of a run: the node that ran, and the port by which it left. Further members show what it read and did."""

    node: str
    type: str
    port: str
    us: float
    line: int | UnsetType | None = UNSET
    reason: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class NotRun(Struct, frozen=True):
    """A node that did not run, and why."""

    node: str
    why: str


class Run(Struct, frozen=True):
    """A stored run with its trace. `outcome` is e.g. finished, failed, paused or cancelled; `at` is in ms."""

    id: str
    event: EventOfRun | str
    flow: str
    version: str
    outcome: str
    at: int
    source: str
    profile: ProfileOfRun | str | None
    other_profiles: list[str]
    session: str | None
    steps: list[Step] | UnsetType = UNSET
    not_run: list[NotRun] | UnsetType = UNSET
    duration_us: float | UnsetType = UNSET
    reason: Any = UNSET
    failed_at: str | UnsetType = UNSET
    type: str | None = None
    kept: str | None = None
    node: str | None = None
    port: str | None = None
    shape: str | None = None
    level: str | None = None
    us: int | None = None
    nodes: list[str] = []
    logs: list[str] = []
    share: float | None = None
    recorded: bool = False
    replay_of: str | None = None
    run: str | UnsetType = UNSET
    waits: Any = UNSET


class RejectedEvent(Struct, frozen=True):
    """An event that could not be accepted, with its body; or a value of a stored `event` that could not be cast."""

    id: str
    source: str
    at: int
    reason: str
    at_field: str
    session: str | None
    body: Any
    profile: str | None
    event: str | None


class DeliverySummary(Struct, frozen=True):
    """A delivery without its message, and without the people in it. Times are ms."""

    id: str
    target: str
    queue: str
    at: int
    source: str
    event: str
    flow: str
    node: str
    due: int
    state: DeliveryState
    mode: DeliveryMode
    attempts: int
    version: int | UnsetType = UNSET
    run: str | UnsetType = UNSET
    profile: str | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    after: list[str] | UnsetType = UNSET
    hops: int | UnsetType = UNSET
    rounds: int | UnsetType = UNSET
    since: int | UnsetType = UNSET
    ended: int | UnsetType = UNSET
    last: DeliveryAttempt | UnsetType = UNSET


class Delivery(DeliverySummary, frozen=True, kw_only=True):
    """A delivery with its message, in which secrets still have their names only."""

    message: Message
    session: str | UnsetType = UNSET
    other_profiles: list[str] | UnsetType = field(name="met", default=UNSET)


class ListedWait(Struct, frozen=True):
    """A run that waits until `due` (ms), or for events; or, with an `outcome`, one that had waited and then failed."""

    id: str
    flow: str
    version: str
    event: str
    profile: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    began: int | UnsetType = UNSET
    due: int | UnsetType = UNSET
    on: list[str] | UnsetType = UNSET
    arrived: bool | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    at: int | UnsetType = UNSET
    reason: Any = UNSET


class Counts(Struct, frozen=True):
    """How many documents of each kind are stored, and what became of the events since the server started."""

    stored: dict[str, int]
    events: Totals


class _Page(Struct, frozen=True):
    """A page, newest first. `after` leads to the next one, which there may be though this one is short; else null."""

    after: str | None


class EventPage(_Page, frozen=True):
    """A page of events, newest first. `after` leads to the next one; null after the last."""

    items: list[StoredEvent]


class ProfilePage(_Page, frozen=True):
    """A page of profiles, newest first. `after` leads to the next one; null after the last."""

    items: list[Profile]


class SessionPage(_Page, frozen=True):
    """A page of sessions, newest first. `after` leads to the next one; null after the last."""

    items: list[Session]


class RunPage(_Page, frozen=True):
    """A page of runs, newest first. `after` leads to the next one; null after the last."""

    items: list[Run]


class RejectedPage(_Page, frozen=True):
    """A page of rejected events, newest first. `after` leads to the next one; null after the last."""

    items: list[RejectedEvent]


class DeliveryPage(_Page, frozen=True):
    """A page of deliveries with their messages, newest first. `after` leads to the next one; null after the last."""

    items: list[Delivery]


class DeliverySummaryPage(_Page, frozen=True):
    """A page of deliveries without their messages, newest first. `after` leads to the next one; null after the last."""

    items: list[DeliverySummary]


class WaitPage(_Page, frozen=True):
    """A page of runs that wait, newest first. `after` leads to the next one; null after the last."""

    items: list[WaitingRun]


class RunCountsPage(_Page, frozen=True):
    """A page of counts of runs, newest first. `after` leads to the next one; null after the last."""

    items: list[StoredRunCounts]


class ArrivalPage(_Page, frozen=True):
    """A page of events for which runs have waited, newest first. `after` leads to the next one; null after the last."""

    items: list[Arrival]


class AuditPage(_Page, frozen=True):
    """A page of the audit log, newest first. `after` leads to the next one; null after the last."""

    items: list[AuditEntry]


EVENT: Final[dict[str, Any]] = {
    "id": "order-1",
    "type": "order-placed",
    "source": "shop",
    "received": AT,
    "session": "s-1",
    "profile": ID,
    "properties": {"total": 12.5},
}
SESSION: Final[dict[str, Any]] = {"source": "shop", "id": "s-1", "created": AT, "profile": ID, "version": 1}
RUN: Final[dict[str, Any]] = {
    "id": "9f2c4d1e",
    "event": {"id": "order-1", "type": "order-placed"},
    "flow": "count-orders",
    "version": "5d0c3a7b1e2f4a68",
    "outcome": "finished",
    "at": AT,
    "source": "shop",
    "profile": {"id": ID, "version": [2, 3]},
    "other_profiles": [],
    "session": "s-1",
    "duration_us": 41,
    "steps": [{"node": "add", "type": "profile.increment", "line": 4, "port": "out", "us": 12.5}],
    "not_run": [],
}
REJECTED: Final[dict[str, Any]] = {
    "id": "b1d2c3",
    "source": "shop",
    "at": AT,
    "reason": "`type` must be a text",
    "at_field": "/type",
    "session": "s-1",
    "body": {"type": 5},
    "profile": None,
    "event": None,
}
SUMMARY: Final[dict[str, Any]] = {
    "id": "d-1",
    "target": "crm",
    "queue": "crm/0",
    "at": AT,
    "source": "shop",
    "event": "order-1",
    "flow": "count-orders",
    "node": "send",
    "due": AT,
    "state": "dead",
    "mode": "live",
    "attempts": 8,
    "last": {"at": AT, "status": 503, "reason": "HTTP 503", "took_ms": 18},
}
DELIVERY: Final[dict[str, Any]] = {
    **SUMMARY,
    "message": {"message": "http", "path": "/orders", "body": {"total": 12.5}},
}
WAIT: Final[dict[str, Any]] = {
    "id": "9f2c4d1e.1",
    "flow": "remind",
    "version": "5d0c3a7b1e2f4a68",
    "profile": ID,
    "source": "shop",
    "event": "order-1",
    "began": AT,
    "due": AT + 86_400_000,
    "on": ["order-paid"],
}
WAITING_RUN: Final[dict[str, Any]] = {
    "id": "9f2c4d1e.1",
    "flow": "remind",
    "flow_version": "5d0c3a7b1e2f4a68",
    "at": AT,
    "source": "shop",
    "event": "order-1",
    "profile": ID,
    "due": AT + 86_400_000,
    "run": {},
}
ARRIVAL: Final[dict[str, Any]] = {
    "id": "9f2c4d1e.1.a",
    "at": AT,
    "source": "shop",
    "profile": ID,
    "event": "order-2",
    "awaited": {"id": "order-2", "type": "order-paid"},
}
AUDITED: Final[dict[str, Any]] = {
    "id": "0e7d9c2b",
    "at": AT,
    "who": "ann",
    "role": "operator",
    "via": "session",
    "action": "send deliveries again",
    "outcome": "done",
    "subjects": ["delivery/d-1"],
    "reason": "the target is back",
}
RUN_COUNTS: Final[dict[str, Any]] = {
    "id": "minute-1777777740000-5f3a",
    "at": 1_777_777_740_000,
    "span": "minute",
    "version": 3,
    "runs": [[12, "cart", "a6bf7845", "failed", "remember", "failed", "`event.properties.total` is absent"]],
    "ports": [[12, "cart", "a6bf7845", 0, "then"]],
}
COUNTS: Final[dict[str, Any]] = {
    "stored": {"profiles": 1, "sessions": 1, "events": 2},
    "events": {"received": 2, "stored": 2, "processed": 0, "rejected": 0, "duplicate": 0, "queued": 0},
}
PAGES: Final[dict[str, tuple[type, dict[str, Any]]]] = {  # by the kind that is searched: the answer, and an item
    "events": (EventPage, EVENT),
    "profiles": (ProfilePage, PROFILE),
    "sessions": (SessionPage, SESSION),
    "runs": (RunPage, RUN),
    "rejected": (RejectedPage, REJECTED),
    "deliveries": (DeliveryPage, DELIVERY),
    "waits": (WaitPage, WAITING_RUN),
    "arrivals": (ArrivalPage, ARRIVAL),
    "audit": (AuditPage, AUDITED),
    "run_counts": (RunCountsPage, RUN_COUNTS),
}
