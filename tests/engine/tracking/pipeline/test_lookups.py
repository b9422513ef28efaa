"""Look-ups in a unit: the wait budget, running again from recorded replies, branches side by side."""

import asyncio
from typing import Any

from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from effects.shared_lookups import SharedLookups
from engine.flow.ask import HttpReply, NoAnswer
from engine.ports.records import Unit
from engine.ports.store import Conflict, Store
from engine.project.source import Source, Target
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.watched_performer import WatchedPerformer
from tests.projects import payload, project

TARGETS = {"crm": Target(url="https://crm.example")}
ASKING = """
flow: asking
trigger: {event: ask}
nodes:
  crm:
    lookup.http: {target: crm, path: "/tier"}
    next: {found: tier, failed: unknown}
  tier: {profile.set: {traits.tier: "{{ nodes.crm.out.tier }}"}}
  unknown: {profile.set: {traits.tier: unknown}}
"""


async def reply_of(collector: Collector, answer: dict[str, Any]) -> Any:
    return (await collector.profile(answer["profile"]["id"]))["traits"]


async def test_a_reply_from_outside_reaches_the_profile(store: Store) -> None:
    crm = ScriptedPerformer().on("crm", "/tier", HttpReply(200, {"tier": "gold"}))
    collector = Collector(project(ASKING, targets=TARGETS), store, crm)
    assert await reply_of(collector, await collector.track(payload("ask"))) == {"tier": "gold"}


async def test_an_answer_does_not_wait_longer_than_its_budget(store: Store) -> None:
    never = asyncio.Event()
    crm = WatchedPerformer()
    crm.on("crm", "/tier", HttpReply(200, {"tier": "gold"}), after=never)
    source = Source(source="shop", identify="trust", debugger=True, answer_within=30)
    collector = Collector(project(ASKING, targets=TARGETS, sources=(source,)), store, crm)
    answer = await collector.track(payload({"type": "ask", "id": "e-1"}))
    assert await reply_of(collector, answer) == {"tier": "unknown"}
    step = answer["debugging"]["execution"]["e-1"]["runs"][0]["steps"][0]
    assert (step["port"], step["calls"][0]["got"][:9]) == ("failed", "no answer")


async def test_the_trace_says_that_an_answer_is_old_and_why_there_is_no_newer_one(store: Store) -> None:
    crm = ScriptedPerformer().on("crm", "/tier", HttpReply(200, {"tier": "gold"}), NoAnswer("timeout", "too late"))
    clock = ManualClock()
    keeping = ASKING.replace('path: "/tier"', 'path: "/tier", cache: 1m, stale: 1h')
    collector = Collector(project(keeping, targets=TARGETS), store, SharedLookups(crm, clock))
    steps = []
    for id in ("e-1", "e-2", "e-3"):
        answer = await collector.track(payload({"type": "ask", "id": id}))
        steps.append(answer["debugging"]["execution"][id]["runs"][0]["steps"][0])
        clock.advance(90_000 if id == "e-2" else 30_000)
    assert [step["port"] for step in steps] == ["found"] * 3
    assert [step["calls"][0]["got"] for step in steps] == [
        "200",
        "200, an answer of 30s ago",
        "200, an answer of 2m ago, as there is no newer one: too late",
    ]
    assert "too late" in steps[2]["reason"]
    assert len(crm.calls) == 2


async def test_a_call_that_fails_is_tried_again_as_the_flow_says(store: Store) -> None:
    replies = [NoAnswer("status", "503", status=503), NoAnswer("timeout", "late"), HttpReply(200, {"tier": "gold"})]
    crm = ScriptedPerformer().on("crm", "/tier", *replies)
    patient = ASKING.replace("    next: {found", "    retry: {times: 2, backoff: 1ms}\n    next: {found")
    collector = Collector(project(patient, targets=TARGETS), store, crm)
    assert await reply_of(collector, await collector.track(payload("ask"))) == {"tier": "gold"}
    assert [call.attempt for call in crm.calls] == [1, 2, 3]


async def test_a_performer_receives_the_flow_node_event_and_attempt_of_each_call(store: Store) -> None:
    asking_twice = """
    flow: asking-twice
    trigger: {event: ask}
    start: [one, two]
    nodes:
      one:
        lookup.http: {target: crm, path: "/one"}
        next: {found: done, failed: done}
      two:
        lookup.http: {target: crm, path: "/two"}
        retry: {times: 1, backoff: 1ms}
        next: {found: done, failed: done}
      done: {profile.set: {traits.done: true}}
    """
    crm = ScriptedPerformer().on("crm", "/one").on("crm", "/two", NoAnswer("timeout", "late"), HttpReply(200))
    collector = Collector(project(asking_twice, targets=TARGETS), store, crm)
    await collector.track(payload({"type": "ask", "id": "e-1"}))
    calls = [(call.node, call.number, call.attempt, call.ask.path) for call in crm.calls]
    assert sorted(calls) == [("one", 1, 1, "/one"), ("two", 1, 1, "/two"), ("two", 1, 2, "/two")]
    assert {(call.flow, call.event) for call in crm.calls} == {("asking-twice", "e-1")}


async def test_a_unit_that_runs_again_does_not_ask_outside_again(store: Store) -> None:
    crm = ScriptedPerformer().on("crm", "/tier", HttpReply(200, {"tier": "gold"}), HttpReply(200, {"tier": "other"}))
    moving = Moving(store, times=3)
    collector = Collector(project(ASKING, targets=TARGETS), moving, crm)
    answer = await collector.track(payload("ask"))
    assert moving.refused == 3
    assert await reply_of(collector, answer) == {"tier": "gold"}
    assert len(crm.calls) == 1


async def test_branches_wait_side_by_side(store: Store) -> None:
    both = """
    flow: both
    trigger: {event: ask}
    start: [one, two]
    nodes:
      one:
        lookup.http: {target: crm, path: "/one"}
        next: {found: end, failed: end}
      two:
        lookup.http: {target: crm, path: "/two"}
        next: {found: end, failed: end}
      end: {profile.set: {traits.sum: "{{ (nodes.one.out.n | default(0)) + (nodes.two.out.n | default(0)) }}"}}
    """
    gate = asyncio.Event()
    crm = WatchedPerformer()
    crm.on("crm", "/one", HttpReply(200, {"n": 1}), after=gate)
    crm.on("crm", "/two", HttpReply(200, {"n": 2}), after=gate)
    collector = Collector(project(both, targets=TARGETS), store, crm)
    tracking = asyncio.ensure_future(collector.track(payload("ask")))
    await crm.asked_times(2)
    gate.set()
    assert await reply_of(collector, await tracking) == {"sum": 3}


async def test_a_cancelled_request_leaves_nothing_half_done(store: Store) -> None:
    never = asyncio.Event()
    crm = WatchedPerformer()
    crm.on("crm", "/tier", HttpReply(200, {"tier": "gold"}), after=never)
    collector = Collector(project(ASKING, targets=TARGETS), store, crm)
    tracking = asyncio.ensure_future(collector.track(payload("ask")))
    await crm.asked_times(1)
    tracking.cancel()
    await asyncio.gather(tracking, return_exceptions=True)
    assert (await store.counts())["events"] == 0
    never.set()
    assert await reply_of(collector, await collector.track(payload("ask"))) == {"tier": "gold"}


class Moving:
    """A store in which something has moved at the first commits, as with another engine beside this one."""

    def __init__(self, store: Store, times: int) -> None:
        self._store = store
        self._times = times
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, unit: Unit) -> None:
        if self.refused < self._times:
            self.refused += 1
            raise Conflict("profile", unit.profiles[0].profile.id)
        await self._store.commit(unit)
