"""Replaying runs: dry without any effect, and a failed one for real, once."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any

import msgspec
import pytest

from effects.clock import SystemClock
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpReply
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import RunRecord
from engine.ports.replay import REPLAYS
from engine.ports.store import Store
from engine.project.project import Project, Settings
from engine.project.source import Target
from engine.search.parse import parse
from engine.tracking.intake.payload import read_track
from engine.tracking.operations.replaying import (
    DryReplays,
    NotReplayed,
    apply_replay,
    redo_failed,
    replay_dry,
)
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.waits.resuming import resume
from tests.engine.tracking.collector import Collector
from tests.projects import SHOP, project

SPENDERS = """
flow: spenders
trigger: {event: ordered}
nodes:
  big: {if: event.properties.total > LIMIT, next: {then: praise, else: note}}
  praise: {profile.set: {traits.praised: true}}
  note: {profile.increment: {traits.small: 1}}
"""
LOOKUP = """
flow: tier
trigger: {event: ordered}
nodes:
  before: {profile.increment: {traits.tried: 1}, next: crm}
  crm: {lookup.http: {target: crm, path: /tier}, next: {found: tier, missing: tier}}
  tier: {profile.increment: {traits.done: 1}, next: announce}
  announce: {event.emit: {type: tiered}}
"""
COUNT = """
flow: count
trigger: {event: tiered}
nodes:
  add: {profile.increment: {traits.tiered: 1}}
"""
TARGETS = {"crm": Target(url="https://crm.example")}
ALL = Settings(shares={"finished": 1.0})


def served(store: Store, performer: ScriptedPerformer, *flows: str, settings: Settings = ALL) -> Pipeline:
    made: Project = project(*flows, targets=TARGETS, settings=settings)
    return Pipeline(made, store, performer, SystemClock(), new_id)


async def send(pipeline: Pipeline, session: str, *properties: dict[str, Any]) -> None:
    events = [{"type": "ordered", "properties": each} for each in properties]
    payload = {"source": {"id": "shop"}, "session": {"id": session}, "events": events}
    tracker = Tracker(pipeline)
    await tracker.start()
    await tracker.track(read_track(msgspec.json.encode(payload)), SHOP)


async def runs_of(store: Store, query: str) -> list[RunRecord]:
    found: list[RunRecord] = []
    after = None
    while True:
        page = await store.search(parse(query, SEARCHABLE["runs"], 0), 1000, after)
        found += [each for each in page.items if isinstance(each, RunRecord)]
        if (after := page.after) is None:
            return found


async def everything(store: Store) -> dict[str, int]:
    return dict(await store.counts())


async def test_a_thousand_events_against_a_changed_threshold_differ_where_it_matters_and_nothing_is_written(
    store: Store,
) -> None:
    before = served(store, ScriptedPerformer(), SPENDERS.replace("LIMIT", "500"))
    for n in range(20):
        await send(before, f"s{n}", *[{"total": n * 50 + i, "n": n * 50 + i} for i in range(50)])
    counts = await everything(store)
    (after,) = project(SPENDERS.replace("LIMIT", "700")).flows
    runs = await runs_of(store, "flow:spenders")
    assert len(runs) == 1000
    done = [replay_dry(run, after) for run in runs]
    changed = {run.event for run, one in zip(runs, done, strict=True) if one.differences}
    events = {run.event: await store.event(run.event) for run in runs}
    assert changed == {id for id, event in events.items() if event and 500 < event.properties["n"] <= 700}
    assert all([each.what for each in one.differences] == ["path", "changes"] for one in done if one.differences)
    assert await everything(store) == counts


async def test_a_failed_run_is_done_again_once_however_often_and_at_once(store: Store) -> None:
    performer = ScriptedPerformer()
    performer.on("crm", "/tier", HttpReply(503))
    before = served(store, performer, LOOKUP, COUNT)
    await send(before, "s1", {"total": 1})
    (run,) = await runs_of(store, "flow:tier")
    assert run.outcome == "failed"
    better = ScriptedPerformer()
    better.on("crm", "/tier", HttpReply(200, {"tier": "gold"}))
    one, other = [served(store, better, LOOKUP, COUNT) for _ in range(2)]
    ends = await asyncio.gather(
        *[apply_replay(pipeline, run, by="ida") for pipeline in (one, other, one, other)], return_exceptions=True
    )
    applied = [end for end in ends if not isinstance(end, BaseException)]
    refused = [end for end in ends if isinstance(end, NotReplayed)]
    assert len(applied) >= 1
    assert len(applied) + len(refused) == 4
    assert run.profile is not None
    profile = await store.profile(run.profile)
    assert profile is not None
    (found,) = (
        await store.search(parse("traits.done:1 traits.tried:1 traits.tiered:1", SEARCHABLE["profiles"], 0), 9)
    ).items
    assert found
    stored = await store.record(REPLAYS, run.id)
    assert stored is not None
    new_run = await store.run(stored.run)
    assert new_run is not None
    assert (new_run.outcome, new_run.replay_of, new_run.event) == ("finished", run.id, run.event)
    with pytest.raises(NotReplayed, match="was done again before") as error:
        await apply_replay(one, run)
    assert error.value.code == "applied"
    assert (await store.counts())["events"] == 2  # the order, and what the run that was done again has emitted


async def test_a_finished_run_is_not_done_again(store: Store) -> None:
    pipeline = served(store, ScriptedPerformer(), SPENDERS.replace("LIMIT", "5"))
    await send(pipeline, "s1", {"total": 1})
    (run,) = await runs_of(store, "flow:spenders")
    with pytest.raises(NotReplayed, match="only a failed run"):
        await apply_replay(pipeline, run)


async def test_a_run_of_a_flow_that_is_gone_says_so(store: Store) -> None:
    performer = ScriptedPerformer()
    performer.on("crm", "/tier", HttpReply(503))
    await send(served(store, performer, LOOKUP), "s1", {"total": 1})
    (run,) = await runs_of(store, "flow:tier")
    with pytest.raises(NotReplayed, match="no flow `tier`"):
        await apply_replay(served(store, performer, COUNT), run)


async def send_with_id(pipeline: Pipeline, id: str) -> None:
    payload = {"source": {"id": "shop"}, "session": {"id": "s1"}, "events": [{"type": "ordered", "id": id}]}
    tracker = Tracker(pipeline)
    await tracker.start()
    await tracker.track(read_track(msgspec.json.encode(payload)), SHOP)


async def test_an_event_of_which_nothing_took_effect_may_be_sent_again_until_its_runs_finish(store: Store) -> None:
    performer = ScriptedPerformer()
    performer.on("crm", "/tier", HttpReply(503))
    away = served(store, performer, LOOKUP, COUNT)
    away.redo = partial(redo_failed, away)
    for _ in range(3):
        await send_with_id(away, "o-1")
    assert [run.outcome for run in await runs_of(store, "flow:tier")] == ["failed"] * 3
    better = ScriptedPerformer()
    better.on("crm", "/tier", HttpReply(200, {}))
    back = served(store, better, LOOKUP, COUNT)
    back.redo = partial(redo_failed, back)
    await asyncio.gather(*[send_with_id(back, "o-1") for _ in range(4)])
    await send_with_id(back, "o-1")
    runs = await runs_of(store, "flow:tier")
    assert Counter(run.outcome for run in runs) == {"failed": 3, "finished": 1}
    page = await store.search(parse("traits.done:1 traits.tiered:1", SEARCHABLE["profiles"], 0), 9)
    assert len(page.items) == 1
    assert (await store.counts())["events"] == 2


async def test_an_event_of_which_one_flow_finished_is_a_duplicate_for_good(store: Store) -> None:
    performer = ScriptedPerformer()
    performer.on("crm", "/tier", HttpReply(503))
    pipeline = served(store, performer, LOOKUP, SPENDERS.replace("event.properties.total > LIMIT", "true"))
    pipeline.redo = partial(redo_failed, pipeline)
    await send_with_id(pipeline, "o-1")
    before = len(performer.calls)
    await send_with_id(pipeline, "o-1")
    assert len(performer.calls) == before
    assert len(await runs_of(store, "flow:tier")) == 1


NAP = """
flow: nap
trigger: {event: begin}
while_waiting: parallel
nodes:
  mark: {profile.increment: {traits.marked: 1}, next: nap}
  nap: {wait: 1h, next: crm}
  crm: {lookup.http: {target: crm, path: /tier}, next: {found: done, missing: done}}
  done: {profile.increment: {traits.done: 1}}
"""


async def test_a_run_that_has_waited_is_not_done_again_since_what_came_before_has_taken_effect(store: Store) -> None:
    shop = Collector(project(NAP, targets=TARGETS, settings=ALL), store)
    shop.pipeline.redo = partial(redo_failed, shop.pipeline)
    begin = {"source": {"id": "shop"}, "session": {"id": "s"}, "events": [{"type": "begin", "id": "b-1"}]}
    id = (await shop.track(begin))["profile"]["id"]
    shop.clock.advance(3_600_005)
    await resume(shop.pipeline, id)  # the look-up has no answer, and the run fails
    (run,) = await runs_of(store, "outcome:failed")
    with pytest.raises(NotReplayed, match="had waited") as error:
        await apply_replay(shop.pipeline, run)
    assert error.value.code == "waited"
    await shop.track(begin)
    assert (await shop.profile(id))["traits"] == {"marked": 1}


async def test_a_run_that_failed_by_an_outage_may_be_done_again_though_its_recording_fails(store: Store) -> None:
    performer = ScriptedPerformer()
    performer.on("crm", "/tier", HttpReply(503))
    pipeline = served(store, performer, LOOKUP)
    await send(pipeline, "s1", {"total": 1})
    replays = DryReplays({flow.name: flow for flow in pipeline.project.flows})
    (run,) = await runs_of(store, "outcome:failed")
    replays.add(run)
    report = replays.report()
    assert (report.differing, report.failed) == ((), (run.id,))
