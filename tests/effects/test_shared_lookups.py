"""Look-ups that share answers: one request for equal ones at the same time, answers used again, old ones as a last
resort."""

import asyncio

import pytest

from effects.clock import ManualClock
from effects.shared_lookups import SharedLookups
from engine.flow.ask import HttpReply, NoAnswer, Reply
from engine.ports.world import OutsideCall
from tests.effects.calls import call
from tests.engine.tracking.watched_performer import WatchedPerformer

GOLD = HttpReply(200, {"tier": "gold"}, url="http://crm/7", took_ms=5)
NEW = HttpReply(200, {"tier": "new"})
AWAY = NoAnswer("timeout", "no answer within 2000 ms", took_ms=2000)


def get(path: str = "/7", **fields: object) -> OutsideCall:
    return call("crm", "GET", path, share=True, **fields)


class Scene:
    """Look-ups with a clock and a scripted target behind them."""

    def __init__(self, *replies: Reply, after: asyncio.Event | None = None) -> None:
        self.clock = ManualClock()
        self.crm = WatchedPerformer()
        self.crm.on("crm", "*", *replies, after=after)
        self.lookups = SharedLookups(self.crm, self.clock)

    async def body(self, asked: OutsideCall) -> object:
        reply = await self.lookups.perform(asked)
        return reply.body if isinstance(reply, HttpReply) else reply

    async def response(self, asked: OutsideCall) -> HttpReply:
        reply = await self.lookups.perform(asked)
        assert isinstance(reply, HttpReply)
        return reply


# At the same time


async def test_equal_look_ups_at_the_same_time_are_one_request() -> None:
    gate = asyncio.Event()
    scene = Scene(GOLD, NEW, after=gate)
    asking = [asyncio.create_task(scene.body(get())) for _ in range(50)]
    await scene.crm.asked_times(1)
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*asking) == [GOLD.body] * 50
    assert len(scene.crm.calls) == 1


async def test_a_look_up_after_the_answer_is_a_request_of_its_own() -> None:
    scene = Scene(GOLD, NEW)
    assert [await scene.body(get()), await scene.body(get())] == [GOLD.body, NEW.body]


@pytest.mark.parametrize(
    "other",
    [
        call("erp", "GET", "/7", share=True),
        call("crm", "POST", "/7", share=True),
        call("crm", "GET", "/8", share=True),
        call("crm", "GET", "/7", {"q": 1}, share=True),
        call("crm", "GET", "/7", {}, {"X-A": "1"}, share=True),
        call("crm", "GET", "/7", {}, {}, {"a": 1}, share=True),
        call("crm", "GET", "/7", share=True, timeout_ms=10),
        call("crm", "GET", "/7"),
    ],
    ids=["target", "method", "path", "query", "headers", "body", "timeout", "one that does not share"],
)
async def test_look_ups_that_differ_are_requests_of_their_own(other: OutsideCall) -> None:
    gate = asyncio.Event()
    scene = Scene(GOLD, after=gate)
    scene.crm.on("erp", "*", GOLD, after=gate)
    asking = [asyncio.create_task(scene.body(each)) for each in (get(), other)]
    await scene.crm.asked_times(2)
    gate.set()
    await asyncio.gather(*asking)


async def test_the_request_goes_on_for_the_others_when_one_of_those_that_wait_gives_up() -> None:
    gate = asyncio.Event()
    scene = Scene(GOLD, after=gate)
    first, second = (asyncio.create_task(scene.body(get())) for _ in range(2))
    await scene.crm.asked_times(1)
    first.cancel()
    await asyncio.wait([first])
    gate.set()
    assert first.cancelled()
    assert await second == GOLD.body


async def test_the_request_is_broken_off_when_all_give_up_and_a_later_one_begins_again() -> None:
    scene = Scene(GOLD, after=asyncio.Event())
    both = [asyncio.create_task(scene.body(get())) for _ in range(2)]
    await scene.crm.asked_times(1)
    for each in both:
        each.cancel()
    await asyncio.wait(both)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    scene.crm.on("crm", "*", NEW)
    assert await scene.body(get()) == NEW.body


# Answers used again


async def test_an_answer_serves_equal_look_ups_until_it_is_too_old() -> None:
    scene = Scene(GOLD, NEW)
    assert await scene.response(get(cache_ms=60_000)) == GOLD
    scene.clock.advance(59_999)
    assert await scene.response(get(cache_ms=60_000)) == HttpReply(200, GOLD.body, GOLD.url, 0, age_ms=59_999)
    scene.clock.advance(1)
    assert await scene.response(get(cache_ms=60_000)) == NEW


async def test_a_node_that_keeps_nothing_takes_no_kept_answer() -> None:
    scene = Scene(GOLD, NEW)
    await scene.body(get(cache_ms=60_000))
    assert await scene.body(get()) == NEW.body


async def test_each_node_says_how_old_an_answer_may_be() -> None:
    scene = Scene(GOLD, NEW)
    await scene.body(get(cache_ms=60_000))
    scene.clock.advance(2_000)
    assert await scene.body(get(cache_ms=1_000)) == NEW.body


@pytest.mark.parametrize(("status", "kept"), [(204, True), (404, True), (410, True), (301, False), (401, False)])
async def test_an_answer_is_kept_unless_it_is_an_error(status: int, kept: bool) -> None:
    scene = Scene(HttpReply(status), NEW)
    await scene.body(get(cache_ms=60_000))
    assert (await scene.response(get(cache_ms=60_000))).status == (status if kept else 200)


async def test_a_failure_is_not_kept() -> None:
    scene = Scene(AWAY, GOLD)
    assert await scene.body(get(cache_ms=60_000, stale_ms=60_000)) == AWAY
    assert await scene.body(get(cache_ms=60_000, stale_ms=60_000)) == GOLD.body


# Old answers


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (AWAY, AWAY.reason),
        (NoAnswer("breaker", "none is sent", retriable=False), "none is sent"),
        (HttpReply(500), "`crm` answered 500"),
        (HttpReply(403), "`crm` answered 403"),
    ],
    ids=["no answer", "a target that fails", "an error", "a refusal"],
)
async def test_an_older_answer_stands_in_for_one_that_fails(failure: Reply, why: str) -> None:
    scene = Scene(GOLD, failure)
    await scene.body(get(cache_ms=1_000, stale_ms=9_000))
    scene.clock.advance(9_999)
    reply = await scene.response(get(cache_ms=1_000, stale_ms=9_000))
    assert (reply.body, reply.age_ms, reply.stale) == (GOLD.body, 9_999, why)


async def test_an_answer_that_is_too_old_stands_in_for_nothing() -> None:
    scene = Scene(GOLD, AWAY)
    await scene.body(get(cache_ms=1_000, stale_ms=9_000))
    scene.clock.advance(10_000)
    assert await scene.lookups.perform(get(cache_ms=1_000, stale_ms=9_000)) == AWAY


async def test_an_old_answer_alone_never_spares_a_request() -> None:
    scene = Scene(GOLD, NEW)
    await scene.body(get(stale_ms=60_000))
    assert await scene.body(get(stale_ms=60_000)) == NEW.body


async def test_a_later_answer_replaces_an_old_one() -> None:
    scene = Scene(GOLD, HttpReply(404), AWAY)
    for expected in (200, 404, 404):
        assert (await scene.response(get(stale_ms=60_000))).status == expected


# What is dropped


async def test_after_clearing_no_answer_is_used_again() -> None:
    scene = Scene(GOLD, NEW)
    await scene.body(get(cache_ms=60_000))
    scene.lookups.clear()
    assert await scene.body(get(cache_ms=60_000)) == NEW.body


async def test_an_answer_that_comes_after_a_clearing_to_an_earlier_request_is_not_kept() -> None:
    gate = asyncio.Event()
    scene = Scene(GOLD, after=gate)
    asking = asyncio.create_task(scene.body(get(cache_ms=60_000)))
    await scene.crm.asked_times(1)
    scene.lookups.clear()
    later = asyncio.create_task(scene.body(get(cache_ms=0)))  # it does not join the earlier request
    await scene.crm.asked_times(2)
    gate.set()
    assert await asking == GOLD.body == await later
    scene.crm.on("crm", "*", NEW)
    assert await scene.body(get(cache_ms=60_000)) == NEW.body
