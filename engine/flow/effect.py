"""Effects: what a node did, as values. Profile operations are effects; these are the others.

Effects are collected by the run. Only a committed run's effects count.
"""

from typing import Any, Literal

from msgspec import Struct

from engine.profile.document import Path, Profile
from engine.profile.operations import Add, Append, Count, Increment, Remove, Set, Unset


class Merge(Struct, frozen=True, tag="merge", tag_field="op"):
    """Join the run's profile with `other`, for `cause`. `proven` says that the sender brought a token for the key."""

    other: Profile
    left: str  # the id that acts
    right: str  # the id that the key came in under
    cause: str
    claimed: bool = False  # by a sender without authority: then the step proves nothing
    proven: bool = False


class ClaimKey(Struct, frozen=True, tag="claim-key", tag_field="op"):
    """From now on `path` = `value` leads to the run's profile.

    `again` says that somebody has claimed the key before: only a sender with authority takes it over, or with a token
    for the key (`proven`).
    """

    path: str
    value: str
    again: bool = False
    proven: bool = False


class Attach(Struct, frozen=True, tag="attach", tag_field="op"):
    """Give a profile-less event `profile`. Attaching a second, different one is refused.

    `found_under_id` is the id that led to it: the event belongs to that part, also should the profile be split.
    """

    profile: Profile
    found_under_id: str | None = None


class SetSession(Struct, frozen=True, tag="session-set", tag_field="op"):
    """Replace what is at `path` of the session (below `properties`)."""

    path: Path
    value: Any


class AttachSession(Struct, frozen=True, tag="session-attach", tag_field="op"):
    """Give an event that came without a session one of its source; `version` is what is stored of it, 0 for none."""

    session: dict[str, Any]  # as flows see it
    version: int = 0
    profile: str | None = None  # the id that the stored session leads to


class SetEvent(Struct, frozen=True, tag="event-set", tag_field="op"):
    """Replace what is at `path` of the event (`properties` or `context`), as later nodes see it and as it is stored."""

    path: Path
    value: Any


class Emit(Struct, frozen=True, tag="emit", tag_field="op"):
    """A child event; it runs in its parent's unit, before the payload's next event."""

    type: str
    properties: dict[str, Any]


class Respond(Struct, frozen=True, tag="respond", tag_field="op"):
    """Add `values` to the `response` of the answer to `/track`."""

    values: dict[str, Any]


class Log(Struct, frozen=True, tag="log", tag_field="op"):
    """A line for the run's log."""

    level: Literal["debug", "info", "warning", "error"]
    message: str


class CachePut(Struct, frozen=True, tag="cache-put", tag_field="op"):
    """Keep `value` under `key` for `ttl_ms`."""

    key: str
    value: Any
    ttl_ms: int


class Stop(Struct, frozen=True, tag="stop", tag_field="op"):
    """End the run here, as finished; what other branches still wait for is cancelled."""


Effect = (
    Set
    | Unset
    | Increment
    | Add
    | Remove
    | Append
    | Count
    | Merge
    | ClaimKey
    | Attach
    | SetSession
    | AttachSession
    | SetEvent
    | Emit
    | Respond
    | Log
    | CachePut
    | Stop
)
