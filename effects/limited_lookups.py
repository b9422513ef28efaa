"""The limits of targets on look-ups: `concurrency`, `rate`, and a circuit breaker for each target.

Waiting for a turn counts towards the look-up's timeout. A look-up at a target whose breaker is open has its reply at
once. The breaker counts as failures what a target does to all look-ups: no connection, no answer in time, a broken
answer, 429, 502, 503 and 504. Other statuses, 500 among them, may be due to the one request, and senders of events
choose requests: they must not be able to stop those of others.
"""

import asyncio
from collections.abc import Mapping
from math import ceil
from typing import Final

import structlog
from msgspec.structs import replace

from effects.target_turns import TargetTurns
from engine.flow.ask import HttpReply, NoAnswer, Reply, refusal
from engine.ports.world import Clock, OutsideCall, Performer
from engine.project.source import Target
from engine.sending.sending import OpenBreaker

FAILED_STATUSES: Final = frozenset({429, 502, 503, 504})

log = structlog.get_logger("headrace.lookups")


class LimitedLookups:
    """A `Performer` that has another one make each call when its target's limits allow it."""

    def __init__(self, performer: Performer, targets: Mapping[str, Target], clock: Clock) -> None:
        self._performer = performer
        self._targets = targets
        self._turns = {name: TargetTurns(target, clock) for name, target in targets.items()}
        self._clock = clock

    def open_breakers(self) -> list[OpenBreaker]:
        """Return the targets to which no look-up is sent now, since the last ones failed."""
        return [OpenBreaker(name, ceil(turns.pause)) for name, turns in self._turns.items() if turns.pause]

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the reply within the ask's timeout, which covers waiting for a turn."""
        turns = self._turns.get(call.ask.target)
        if turns is None:
            return await self._performer.perform(call)
        began = self._clock.ticks()
        try:
            async with asyncio.timeout(call.ask.timeout_ms / 1000):
                reason = await turns.begin()
        except TimeoutError:
            return NoAnswer("timeout", self._no_turn(call), took_ms=call.ask.timeout_ms)
        waited_ms = round((self._clock.ticks() - began) * 1000)
        if reason:
            return NoAnswer("breaker", reason, retriable=False, took_ms=waited_ms)
        return await self._performed(call, turns, waited_ms)

    async def _performed(self, call: OutsideCall, turns: TargetTurns, waited_ms: int) -> Reply:
        """Make a call whose turn it is."""
        timeout_ms = max(call.ask.timeout_ms - waited_ms, 1)
        now_called = replace(call, ask=replace(call.ask, timeout_ms=timeout_ms)) if waited_ms else call
        try:
            reply = await self._performer.perform(now_called)
        except BaseException:
            turns.abandon()
            raise
        self._count(call.ask.target, turns, reply)
        return _with_waiting(reply, call.ask.timeout_ms, waited_ms) if waited_ms else reply

    def _count(self, target: str, turns: TargetTurns, reply: Reply) -> None:
        if isinstance(reply, NoAnswer) and reply.kind == "refused":
            turns.abandon()  # it was never sent, or its answer was not read to its end
            return
        was_troubled = turns.is_troubled
        turns.end(failed=isinstance(reply, NoAnswer) and reply.status in {None, *FAILED_STATUSES})
        if turns.is_troubled and not was_troubled:
            log.warning("look-ups of a target fail, so none is sent for a while", target=target, reason=refusal(reply))
        elif was_troubled and not turns.is_troubled:
            log.info("look-ups of a target succeed again", target=target)

    def _no_turn(self, call: OutsideCall) -> str:
        target = self._targets[call.ask.target]
        limits = f"{target.concurrency} at a time" + (f", {target.rate}" if target.rate else "")
        return f"no turn within {call.ask.timeout_ms} ms: the target's limits are {limits}"


def _with_waiting(reply: Reply, timeout_ms: int, waited_ms: int) -> Reply:
    """Return the reply with the whole time that it took."""
    if isinstance(reply, HttpReply):
        return replace(reply, took_ms=reply.took_ms + waited_ms)
    if not isinstance(reply, NoAnswer):
        return reply
    waited = f"no answer within {timeout_ms} ms, of which {waited_ms} were waiting for a turn"
    reason = waited if reply.kind == "timeout" else reply.reason
    return replace(reply, reason=reason, took_ms=reply.took_ms + waited_ms)
