"""Look-ups whose durations and ends are counted, by target."""

from engine.flow.ask import HttpReply, NoAnswer, Reply
from engine.ports.world import Clock, OutsideCall, Performer
from engine.tracking.unit.families import LOOKUP_ENDS, LOOKUPS
from engine.tracking.unit.meter import Meter


class MeteredLookups:
    """A `Performer` that has another one make each call, and counts it. Calls that were cancelled are not counted."""

    def __init__(self, performer: Performer, meter: Meter, clock: Clock) -> None:
        self._performer = performer
        self._meter = meter
        self._clock = clock

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the reply to the call."""
        began = self._clock.ticks()
        reply = await self._performer.perform(call)
        outcome, target = outcome_of(reply), call.ask.target
        self._meter.cell(LOOKUP_ENDS, target, outcome).add()
        if outcome != "breaker":  # nothing was sent
            self._meter.histogram(LOOKUPS, target).observe(self._clock.ticks() - began)
        return reply


def outcome_of(reply: Reply) -> str:
    """Return the label of a look-up: `answered` also if the node takes the status of the answer for a failure."""
    match reply:
        case HttpReply():
            return "answered"
        case NoAnswer(kind="timeout" | "breaker" as kind):
            return kind
        case NoAnswer(status=int()):
            return "answered"
        case _:
            return "no-answer"
