"""The limits of targets on look-ups, on an event loop on which waiting takes no time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cli.testing.virtual_clock import VirtualClock
from effects.limited_lookups import LimitedLookups
from effects.virtual_time_loop import VirtualTimeLoop
from engine.flow.ask import HttpReply, NoAnswer, Reply
from engine.ports.world import OutsideCall
from engine.project.source import Target
from engine.sending.breaker import FAILURES, FIRST_SECONDS
from engine.sending.sending import OpenBreaker
from tests.effects.calls import call

FINE = HttpReply(200, {"tier": "gold"}, took_ms=100)
AWAY = NoAnswer("connection", "no connection")


class SlowTarget:
    """A performer that answers after some seconds, and counts how many calls are under way."""

    def __init__(self, *, seconds: float = 0.1, reply: Reply = FINE) -> None:
        self.seconds, self.reply = seconds, reply
        self.under_way = self.most = 0
        self.began: list[float] = []

    async def perform(self, call: OutsideCall) -> Reply:
        self.began.append(round(asyncio.get_running_loop().time(), 3))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            async with asyncio.timeout(call.ask.timeout_ms / 1000):
                await asyncio.sleep(self.seconds)
        except TimeoutError:
            return NoAnswer("timeout", f"no answer within {call.ask.timeout_ms} ms", took_ms=call.ask.timeout_ms)
        finally:
            self.under_way -= 1
        return self.reply


def limited(to: SlowTarget, **limits: Any) -> LimitedLookups:
    return LimitedLookups(to, {"crm": Target(url="http://crm", **limits)}, VirtualClock())


def run(scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scene)


async def many(lookups: LimitedLookups, times: int, **fields: Any) -> list[Reply]:
    return list(await asyncio.gather(*(lookups.perform(call("crm", **fields)) for _ in range(times))))


def test_no_more_look_ups_than_the_targets_concurrency_are_under_way() -> None:
    async def scene() -> None:
        crm = SlowTarget()
        replies = await many(limited(crm, concurrency=4), 12, timeout_ms=1_000)
        assert [reply.took_ms for reply in replies if isinstance(reply, HttpReply)] == [100] * 4 + [200] * 4 + [300] * 4
        assert (crm.most, crm.began) == (4, [0] * 4 + [0.1] * 4 + [0.2] * 4)

    run(scene())


def test_no_more_look_ups_begin_in_a_time_than_the_targets_rate() -> None:
    async def scene() -> None:
        crm = SlowTarget()
        await many(limited(crm, rate="2/s"), 6, timeout_ms=5_000)
        assert crm.began == [0, 0, 1, 1, 2, 2]

    run(scene())


@pytest.mark.parametrize("limits", [{"concurrency": 1}, {"rate": "1/min"}], ids=["concurrency", "rate"])
def test_waiting_for_a_turn_counts_towards_the_timeout(limits: dict[str, Any]) -> None:
    async def scene() -> None:
        lookups = limited(SlowTarget(seconds=2), **limits)
        first, second = await many(lookups, 2, timeout_ms=2_500)
        assert isinstance(first, HttpReply)
        assert isinstance(second, NoAnswer)
        assert (second.kind, second.took_ms, asyncio.get_running_loop().time()) == ("timeout", 2_500, 2.5)

    run(scene())


def test_a_reply_tells_how_much_of_the_timeout_was_waiting_for_a_turn() -> None:
    async def scene() -> None:
        _, second = await many(limited(SlowTarget(seconds=2), concurrency=1), 2, timeout_ms=2_500)
        assert isinstance(second, NoAnswer)
        assert second.reason == "no answer within 2500 ms, of which 2000 were waiting for a turn"

    run(scene())


def test_a_look_up_without_a_turn_is_told_the_limits_of_its_target() -> None:
    async def scene() -> None:
        lookups = limited(SlowTarget(seconds=2), concurrency=1, rate="5/s")
        busy = asyncio.create_task(lookups.perform(call("crm", timeout_ms=9_000)))
        await asyncio.sleep(0)
        reply = await lookups.perform(call("crm", timeout_ms=500))
        assert isinstance(reply, NoAnswer)
        assert reply.reason == "no turn within 500 ms: the target's limits are 1 at a time, 5/s"
        await busy

    run(scene())


def test_a_look_up_that_is_broken_off_leaves_its_turn_to_the_next() -> None:
    async def scene() -> None:
        lookups = limited(SlowTarget(seconds=1), concurrency=1)
        asked = [asyncio.create_task(lookups.perform(call("crm", timeout_ms=9_000))) for _ in range(4)]
        await asyncio.sleep(0.5)
        asked[0].cancel()  # under way
        asked[1].cancel()  # waiting
        replies = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(reply) for reply in replies[:2]] == [asyncio.CancelledError] * 2
        assert replies[2:] == [HttpReply(200, FINE.body, took_ms=600), HttpReply(200, FINE.body, took_ms=1600)]

    run(scene())


def test_a_target_that_fails_is_asked_no_more_for_a_while_and_then_once() -> None:
    async def scene() -> None:
        crm = SlowTarget(reply=AWAY)
        lookups = limited(crm, concurrency=8)
        for _ in range(FAILURES):
            await lookups.perform(call("crm"))
        started = asyncio.get_running_loop().time()
        refused = await lookups.perform(call("crm"))
        assert isinstance(refused, NoAnswer)
        assert (refused.kind, refused.retriable, asyncio.get_running_loop().time()) == ("breaker", False, started)
        assert refused.reason == "the last look-ups of this target failed, so none is sent for 30 s"
        assert lookups.open_breakers() == [OpenBreaker("crm", 30)]

        crm.reply = FINE
        await asyncio.sleep(FIRST_SECONDS)
        replies = await many(lookups, 3)
        assert [type(reply) for reply in replies] == [HttpReply, NoAnswer, NoAnswer]  # others do not wait for the first
        for _ in range(8):
            assert isinstance(await lookups.perform(call("crm")), HttpReply)
        assert lookups.open_breakers() == []

    run(scene())


def test_look_ups_that_wait_are_turned_away_when_the_target_fails() -> None:
    async def scene() -> None:
        lookups = limited(SlowTarget(seconds=1, reply=AWAY), concurrency=FAILURES)
        replies = await many(lookups, 50, timeout_ms=60_000)
        kinds = [reply.kind for reply in replies if isinstance(reply, NoAnswer)]
        assert kinds == ["connection"] * 9 + ["breaker"] * 41  # the first four that failed let four others begin
        assert asyncio.get_running_loop().time() == 2

    run(scene())


@pytest.mark.parametrize(
    "reply",
    [
        HttpReply(403),
        HttpReply(404),
        NoAnswer("status", "the target answered 500", status=500),
        NoAnswer("broken", "no JSON", status=200),
        NoAnswer("refused", "the answer is longer than 9 bytes", retriable=False),
    ],
    ids=["403", "404", "500", "broken", "refused"],
)
def test_what_one_request_may_have_caused_does_not_stop_others(reply: Reply) -> None:
    async def scene() -> None:
        lookups = limited(SlowTarget(reply=reply))
        for _ in range(3 * FAILURES):
            assert await lookups.perform(call("crm")) == reply

    run(scene())


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_statuses_of_a_target_that_cannot_answer_count_as_failures(status: int) -> None:
    async def scene() -> None:
        lookups = limited(SlowTarget(reply=NoAnswer("status", f"the target answered {status}", status=status)))
        replies = [await lookups.perform(call("crm")) for _ in range(FAILURES + 1)]
        assert isinstance(replies[-1], NoAnswer)
        assert replies[-1].kind == "breaker"

    run(scene())


def test_a_target_that_fails_does_not_affect_others() -> None:
    async def scene() -> None:
        crm = SlowTarget(reply=AWAY)
        targets = {name: Target(url="http://x", concurrency=1) for name in ("crm", "erp")}
        lookups = LimitedLookups(crm, targets, VirtualClock())
        for _ in range(FAILURES):
            await lookups.perform(call("crm"))
        crm.reply = FINE
        assert await lookups.perform(call("erp")) == FINE

    run(scene())
