"""Effects: the changes that a node makes, as values. Profile operations are effects, too; this module has the others.

A run collects its effects. They take effect when the unit of the run is committed.
"""

from typing import Any, Literal

from msgspec import Struct

from engine.flow.message import Elsewhere, Message
from engine.profile.document import Link, LinkKind, Path, Profile
from engine.profile.operations import Add, Append, Count, Increment, Remove, Set, Unset


class Merge(Struct, frozen=True, tag="merge", tag_field="op"):
    """Add `links` to the run's profile, and so join it with `other`, the profile of the id that holds the key.

    The last link is that of the acting id. Without `other` the key is new.
    """

    links: tuple[Link, ...]
    other: Profile | None = None


class HoldKey(Struct, frozen=True, tag="hold-key", tag_field="op"):
    """Make a key, by its name in links, lead to the run's profile, also over the ids `over` that hold it."""

    name: str
    over: tuple[str, ...] = ()


class Attach(Struct, frozen=True, tag="attach", tag_field="op"):
    """Attach `profile` to an event without a profile. Attaching a second, different profile is refused.

    `found_under_id` is the id that led to it: the event belongs to this part, even if the profile is split. `links`
    join `acting_id`, an id of the key's own, with the profile: the event belongs to that part. `other` is the profile
    that has this id until then, if any.
    """

    profile: Profile
    found_under_id: str | None = None
    acting_id: str | None = None
    links: tuple[Link, ...] = ()
    other: Profile | None = None


class SetSession(Struct, frozen=True, tag="session-set", tag_field="op"):
    """Replace the value at `path` of the session (below `properties`)."""

    path: Path
    value: Any


class AttachSession(Struct, frozen=True, tag="session-attach", tag_field="op"):
    """Attach a session of its source to an event without a session. `version` is the stored one, or 0."""

    session: dict[str, Any]  # as flows see it
    version: int = 0
    profile: str | None = None  # the id that the stored session leads to


class SetEvent(Struct, frozen=True, tag="event-set", tag_field="op"):
    """Replace the value at `path` of the event (`properties` or `context`), for later nodes and in the stored event."""

    path: Path
    value: Any


class Emit(Struct, frozen=True, tag="emit", tag_field="op"):
    """Emit a child event. It runs in its parent's unit, before the payload's next event.

    One that has happened `elsewhere` only a flow with a schedule emits; it is a unit of its own.
    """

    type: str
    properties: dict[str, Any]
    elsewhere: Elsewhere | None = None


class Deliver(Struct, frozen=True, tag="deliver", tag_field="op"):
    """Send a message to a target after the commit, `after_ms` later. `ordered`: after those before it, by profile."""

    target: str
    message: Message
    ordered: bool = False
    after_ms: int = 0


class Respond(Struct, frozen=True, tag="respond", tag_field="op"):
    """Add `values` to the `response` in the answer of `/track`."""

    values: dict[str, Any]


class Log(Struct, frozen=True, tag="log", tag_field="op"):
    """Write a line to the run's log."""

    level: Literal["debug", "info", "warning", "error"]
    message: str


class CachePut(Struct, frozen=True, tag="cache-put", tag_field="op"):
    """Store `value` in the shared cache under `key` for `ttl_ms`."""

    key: str
    value: Any
    ttl_ms: int


class SetState(Struct, frozen=True, tag="state-set", tag_field="op"):
    """Store `value` under `key` in the state of the run's task; None removes it."""

    key: str
    value: Any


class HandOver(Struct, frozen=True, tag="hand-over", tag_field="op"):
    """Give the run up, and begin its event again as the person with this value of an exclusive key."""

    path: Path
    text: str  # as keys are compared
    kind: LinkKind


class Stop(Struct, frozen=True, tag="stop", tag_field="op"):
    """End the run as finished. Nodes of other branches that still wait are cancelled."""


Effect = (
    Set
    | Unset
    | Increment
    | Add
    | Remove
    | Append
    | Count
    | Merge
    | HoldKey
    | Attach
    | SetSession
    | AttachSession
    | SetEvent
    | Emit
    | Deliver
    | Respond
    | Log
    | CachePut
    | SetState
    | HandOver
    | Stop
)
