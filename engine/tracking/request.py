"""A unit that is to be done: what is drawn once for all its runs."""

from msgspec import Struct

from engine.flow.ask import Reply
from engine.tracking.being import Being
from engine.tracking.intake import Intake
from engine.tracking.source import Source

ReplyKey = tuple[str, str, str, int, int, bytes]  # event, flow, node, number of the ask, attempt, what was asked


class Request(Struct, frozen=True):
    """A unit to be done. `replies` are those from outside, in the order in which they came: they are not asked again.

    `deadline` is when (in the clock's ticks) the answer cannot wait any longer.
    """

    source: Source
    intake: Intake
    events: tuple[Being, ...]
    now: int
    seed: str
    deadline: float
    replies: dict[ReplyKey, Reply]
