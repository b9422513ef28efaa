"""Deliveries: messages that flows send to other systems, as records that are written with the unit of their event.

A delivery is *waiting* until it is *sent*, *dead* (given up, or refused by the target) or *dropped* (by an operator, or
since its mode has no target). `retry` takes a dead one back to waiting. Each change is a compare-and-set at the version
that was read; a sender never creates a record.
"""

from typing import Final, Literal

from msgspec import Struct, field

from engine.flow.message import Message

DeliveryState = Literal["waiting", "sent", "dead", "dropped"]
DeliveryMode = Literal["live", "test"]

SELF: Final = "self"  # the target of events that a scheduled flow emits: each is tracked as a unit of its own


class DeliveryAttempt(Struct, frozen=True, omit_defaults=True):
    """The last attempt at a delivery. `status` is that of HTTP or SMTP; `reason` is for people, without secrets."""

    at: int  # ms
    status: int | None = None
    reason: str = ""
    took_ms: int = 0


class StoredDelivery(Struct, frozen=True, omit_defaults=True):
    """A delivery as it is stored. `id` is also its Idempotency-Key: it follows from the unit, the flow and the node.

    `due` (ms) is when it is to be sent next; of one that has ended, when its record is deleted. `queue` names the
    target and the shard whose sender sends it (`queue_of`). `after` are deliveries to this target that must have ended
    before. `other_profiles` are those whose data the message may contain; stored as `met`.
    """

    id: str
    target: str
    queue: str
    at: int  # ms: the time of the unit
    source: str
    event: str
    flow: str
    node: str
    message: Message
    due: int
    version: int = 1
    state: DeliveryState = "waiting"
    mode: DeliveryMode = "live"
    run: str = ""
    profile: str | None = None
    session: str | None = None
    other_profiles: tuple[str, ...] = field(default=(), name="met")
    ordered: bool = False  # among those of its profile to this target
    after: tuple[str, ...] = ()
    hops: int = 0  # how many requests to other systems led to its event, one by the other
    attempts: int = 0  # since it was written, or since `retry`
    rounds: int = 0  # how often an operator has had a dead one sent again
    since: int | None = None  # ms: when it was first due, or was retried; None: `due`, which has not changed yet
    ended: int | None = None  # ms
    last: DeliveryAttempt | None = None


def queue_of(target: str, shard: int = 0) -> str:
    """Return the name of the queue of a target's shard; also the end of its lease's name, `deliver/QUEUE`."""
    return f"{target}/{shard}"
