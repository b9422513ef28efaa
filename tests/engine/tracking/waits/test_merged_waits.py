"""Waits of profiles that are merged and set apart, and of processes that are restarted."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.ports.kinds import ARRIVALS, WAITS
from engine.ports.store import Store
from engine.profile.document import Profile, WaitStub
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.operations.unmerging import unmerge_served
from engine.tracking.waits.resuming import resume
from tests.engine.tracking.collector import Collector
from tests.projects import project

HOUR = 3_600_000
NAP = """
flow: nap
trigger: {event: begin}
while_waiting: POLICY
nodes:
  nap: {wait.for: {event: wake, when: awaited.properties.word == event.properties.word}, timeout: 2h, next: NEXT}
  done: {profile.add: {traits.heard: "{{ event.properties.name }}"}}
"""
MERGE = "{flow: merge, trigger: {event: login}, nodes: {who: {profile.merge: {pii.email: $.event.properties.email}}}}"
AGAIN = """
flow: again
trigger: {event: [begin, ping]}
while_waiting: parallel
nodes:
  nap: {wait: WAIT, next: ping}
  ping: {event.emit: {type: ping, properties: {}}}
"""


def collector_of(store: Store, policy: str = "parallel") -> Collector:
    text = NAP.replace("POLICY", policy).replace("NEXT", "{arrived: done, timeout: done}")
    return Collector(project(text, MERGE), store)


async def send(collector: Collector, session: str, type: str, **properties: Any) -> dict[str, Any]:
    event = {"type": type, "properties": properties}
    return await collector.track({"source": {"id": "shop"}, "session": {"id": session}, "events": [event]})


async def profile_of(collector: Collector, answer: dict[str, Any]) -> Profile:
    profile = await collector.store.profile(answer["profile"]["id"])
    assert profile is not None
    return profile


async def two_that_are_merged(collector: Collector) -> dict[str, Any]:
    """Two visitors whose runs wait, the second one for a minute less; then both log in as Ann."""
    await send(collector, "s-1", "begin", name="one", word="a")
    collector.clock.advance(60_000)
    await send(collector, "s-2", "begin", name="two", word="b")
    await send(collector, "s-1", "login", email="ann@example.com")
    return await send(collector, "s-2", "login", email="ann@example.com")


def began(stubs: tuple[WaitStub, ...]) -> list[int]:
    return [stub.began - 1_700_000_000_000 for stub in stubs]


async def test_a_merge_keeps_the_waits_of_both(store: Store):
    collector = collector_of(store)
    merged = await two_that_are_merged(collector)
    profile = await profile_of(collector, merged)
    assert began(profile.waits) == [0, 60_000]
    assert profile.due == profile.waits[0].due
    collector.clock.advance(2 * HOUR)
    assert await resume(collector.pipeline, merged["profile"]["id"]) == 2
    shown = await collector.profile(merged["profile"]["id"])
    assert shown["traits"]["heard"] == ["one", "two"]


@pytest.mark.parametrize(("policy", "kept"), [("restart", [60_000]), ("ignore", [0])])
async def test_the_unit_after_a_merge_keeps_one_run_of_a_flow(store: Store, policy: str, kept: list[int]):
    collector = collector_of(store, policy)
    merged = await two_that_are_merged(collector)
    stubs = (await profile_of(collector, merged)).waits
    await send(collector, "s-1", "other")
    profile = await profile_of(collector, merged)
    assert began(profile.waits) == kept
    left = [await store.record(WAITS, stub.id) for stub in stubs]
    assert [record is not None for record in left] == [stub in profile.waits for stub in stubs]


async def test_a_run_hears_the_events_of_the_other_side_after_a_merge(store: Store):
    collector = collector_of(store)
    merged = await two_that_are_merged(collector)
    await send(collector, "s-1", "wake", word="b")
    assert [stub.arrived for stub in (await profile_of(collector, merged)).waits] == [False, True]


async def test_an_unmerge_leaves_each_wait_with_its_own_id(store: Store):
    collector = collector_of(store)
    merged = await two_that_are_merged(collector)
    profile = await profile_of(collector, merged)
    link = max(profile.links.values(), key=lambda each: each.why.at if each.why else 0)
    await unmerge_served(collector.pipeline, profile.id, link.id)
    for stub in profile.waits:
        own = await store.profile(stub.of)
        assert own is not None
        assert [each.run for each in own.waits] == [stub.run]


async def test_a_run_waits_through_a_restart_of_the_server(opened: Callable[[], Store]):
    before = collector_of(opened())
    answer = await send(before, "s-1", "begin", name="one", word="a")
    after = collector_of(opened())
    after.clock.advance(2 * HOUR)
    assert await resume(after.pipeline, answer["profile"]["id"]) == 1
    assert (await after.profile(answer["profile"]["id"]))["traits"] == {"heard": ["one"]}


async def test_an_event_that_has_arrived_is_there_after_a_restart(opened: Callable[[], Store]):
    before = collector_of(opened())
    answer = await send(before, "s-1", "begin", name="one", word="a")
    await send(before, "s-1", "wake", word="a")
    store = opened()
    (stub,) = (await profile_of(collector_of(store), answer)).waits
    arrival = await store.record(ARRIVALS, f"{stub.id}.a")
    assert arrival is not None
    assert (arrival.heard_by, stub.arrived) == (("nap",), True)


async def test_one_payload_may_begin_and_wake_a_run(store: Store):
    collector = collector_of(store)
    events = [{"type": "begin", "properties": {"name": "one", "word": "a"}}]
    events += [{"type": "wake", "properties": {"word": "a"}}]
    answer = await collector.track({"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": events})
    assert await resume(collector.pipeline, answer["profile"]["id"]) == 1
    assert (await collector.profile(answer["profile"]["id"]))["traits"] == {"heard": ["one"]}


async def test_forgetting_ends_the_waits(store: Store):
    collector = collector_of(store)
    answer = await send(collector, "s-1", "begin", name="one", word="a")
    (stub,) = (await profile_of(collector, answer)).waits
    forgetter = Forgetter(store, collector.clock, collector.pipeline, quiet_ms=0, pause=0)
    await forgetter.finish(await forgetter.begin(answer["profile"]["id"], "f"))
    collector.clock.advance(2 * HOUR)
    assert await resume(collector.pipeline, answer["profile"]["id"]) == 0
    assert await store.record(WAITS, stub.id) is None


@pytest.mark.parametrize(
    ("wait", "turns"), [pytest.param("1m", 20, id="a loop that waits runs on"), pytest.param("59s", 9, id="one is cut")]
)
async def test_the_depth_of_events_that_emit_one_another_begins_again_after_a_minute(
    store: Store, wait: str, turns: int
):
    collector = Collector(project(AGAIN.replace("WAIT", wait)), store)
    answer = await send(collector, "s-1", "begin")
    done = 0
    for _ in range(20):
        collector.clock.advance(60_000)
        done += await resume(collector.pipeline, answer["profile"]["id"])
    assert done == turns
