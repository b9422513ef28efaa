"""Documents about the timeline of a profile."""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from api.documents.profile import AT, ID
from api.documents.record import EVENT, RUN, Run
from engine.ports.records import StoredEvent


class TimelineEntry(Struct, frozen=True):
    """A thing that happened to a profile, at a time (ms).

    The member that `kind` names has its document; an event has its runs.
    `link` and `undone` have a link as `GET /profiles/ID?why=true` shows it, `delivery` has a delivery, `wait` an open
    wait, `rejected` a rejected event.
    """

    at: int
    kind: Literal["event", "segment", "link", "undone", "delivery", "wait", "rejected"]
    event: StoredEvent | UnsetType = UNSET
    runs: list[Run] | UnsetType = UNSET
    segment: dict[str, Any] | UnsetType = UNSET
    link: dict[str, Any] | UnsetType = UNSET
    undone: dict[str, Any] | UnsetType = UNSET
    delivery: dict[str, Any] | UnsetType = UNSET
    wait: dict[str, Any] | UnsetType = UNSET
    rejected: dict[str, Any] | UnsetType = UNSET


class TimelineOfProfile(Struct, frozen=True):
    """The newest part of a profile's timeline, newest first. `before` (ms) leads to what is older; else null.

    `partial`: the store was not looked through to its end, so old deliveries and rejected events may be missing.
    """

    profile: str
    entries: list[TimelineEntry]
    before: int | None
    partial: bool


class FoundProfile(Struct, frozen=True):
    """The id of a profile that was found by a key."""

    profile: str


class KeyText(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: an id, a key such as an e-mail address, or `PATH=VALUE`."""

    text: str


TIMELINE: Final[dict[str, Any]] = {
    "profile": ID,
    "entries": [
        {"at": AT, "kind": "event", "event": EVENT, "runs": [RUN]},
        {"at": AT, "kind": "segment", "segment": {"segment": "customers", "by_hand": False}},
    ],
    "before": None,
    "partial": False,
}
