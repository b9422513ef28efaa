"""Counts of runs: exact whatever is kept, and kept runs that are found by what happened in them."""

from typing import Any

from structlog.testing import capture_logs

from api.run_counting import RunCounting
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from engine.ports.run_counts import HOUR, MINUTE, MINUTES_KEPT, RUN_COUNTS, run_totals, stored_counts
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.run_counter import MAX_KEYS, RunCounter, RunKey
from engine.tracking.waits.resuming import resume
from storage.memory import MemoryStore
from tests.api.conftest import Serve
from tests.engine.tracking.collector import Collector
from tests.projects import project

FLOW = """
flow: order
trigger: {event: ordered}
nodes:
  total: {profile.increment: {traits.total: "{{ event.properties.total }}"}, next: {done: note, failed: lost}}
  note: {profile.set: {traits.last: "{{ event.id }}"}}
  lost: {log: {level: error, message: "no total in {{ event.id }}"}}
"""
WAITING = """
flow: order
trigger: {event: ordered}
while_waiting: parallel
nodes:
  total: {profile.increment: {traits.total: "{{ event.properties.total }}"}, next: {done: nap, failed: nap}}
  nap: {wait: 1h, next: lost}
  lost: {log: {level: error, message: "no total in {{ event.id }}"}}
"""
NOW = 1_800_000_000_000
KEY = RunKey("order", "v1", "finished", ("done", None, None))


class StillClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = NOW

    def now(self) -> int:
        return self.ms

    def ticks(self) -> float:
        return self.ms / 1000


def payload(*properties: dict[str, Any], visitor: str = "ann") -> dict[str, Any]:
    events = [{"type": "ordered", "id": f"{visitor}-{n}", "properties": each} for n, each in enumerate(properties)]
    return {"source": {"id": "shop"}, "session": {"id": visitor}, "events": events}


async def test_a_hundred_events_whose_failed_port_leads_to_an_error_log_are_found_counted_and_grouped(
    serve: Serve,
) -> None:
    client = await serve(project(FLOW))
    for n in range(10):
        answer = await client.post("/track", json=payload(*[{}] * 10, *[{"total": 2}] * 5, visitor=f"v{n}"))
        assert answer.status_code == 200
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get("/search/runs", params={"q": "port:failed", "after": after})).json()
        found, after = found + page["items"], page["after"]
    assert len(found) == 100
    assert {(run["kept"], run["node"], run["level"], run["outcome"]) for run in found} == {
        ("failed-port", "total", "error", "finished")
    }
    assert all("lost:done" in run["nodes"] and run["logs"][0].startswith("no total in") for run in found)
    pipeline = client.app.state.tracker.pipeline
    with capture_logs() as lines:
        await RunCounting(pipeline).write()
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["event"], line["flow"], line["node"], line["runs"]) == (
        "runs went on after a failure",
        "order",
        "total",
        100,
    )
    assert "total" in line["reason"]
    totals = await run_totals(pipeline.store, 0, pipeline.clock.now(), HOUR)
    assert totals.total("finished") == 150
    assert totals.by("flow", "node", "port", "reason") == {
        ("order", "total", "failed", "`event.properties.total` is absent"): 100,
        ("order", "", "", ""): 50,
    }
    (flow,) = pipeline.project.flows
    ports = {(flow.nodes[key[2]].id, key[3]): count for key, count in totals.ports.items()}
    assert ports == {("total", "failed"): 100, ("total", "done"): 50, ("note", "done"): 50, ("lost", "done"): 100}


async def test_counts_are_written_again_until_the_store_takes_them_and_old_minutes_are_dropped() -> None:
    store, clock = MemoryStore(), StillClock()
    pipeline = Pipeline(project(FLOW), store, ScriptedPerformer(), clock, new_id)
    counting, other = RunCounting(pipeline), RunCounting(pipeline)
    pipeline.ledger.runs.count((KEY,), clock.ms)
    await counting.write()
    pipeline.ledger.runs.count((KEY, KEY), clock.ms)
    await other.write()  # as another process does
    pipeline.ledger.runs.count((KEY,), clock.ms)
    await counting.write()
    await counting.write()
    assert (await run_totals(store, NOW - HOUR, NOW, NOW)).total() == 4
    clock.ms += MINUTES_KEPT + HOUR
    assert (await run_totals(store, NOW - HOUR, NOW, clock.ms)).span == "hour"
    assert (await run_totals(store, NOW - HOUR, NOW, clock.ms)).total() == 4
    await counting.drop()
    assert [each async for each in stored_counts(store, "minute", None, clock.ms)] == []
    assert (await run_totals(store, NOW - HOUR, NOW, clock.ms)).total() == 4
    assert (await store.counts())[RUN_COUNTS.name] == 2


async def test_runs_that_are_committed_long_after_their_minute_are_added_to_its_counts() -> None:
    store, clock = MemoryStore(), StillClock()
    pipeline = Pipeline(project(FLOW), store, ScriptedPerformer(), clock, new_id)
    counting = RunCounting(pipeline)
    for _ in range(100):
        pipeline.ledger.runs.count((KEY,), NOW)
    await counting.write()
    clock.ms += 2 * HOUR
    for _ in range(3):  # as a spool is drained, which takes longer than one write
        pipeline.ledger.runs.count((KEY,), NOW)
        await counting.write()
    for since in (NOW - MINUTE, NOW - MINUTES_KEPT):
        totals = await run_totals(store, since, clock.ms, clock.ms)
        assert totals.total() == totals.ports["order", "v1", 0, "done"] == 103


async def test_a_run_that_waits_counts_each_port_once() -> None:
    collector = Collector(project(WAITING), MemoryStore())
    answer = await collector.track(payload({}))
    collector.clock.advance(HOUR)
    assert await resume(collector.pipeline, answer["profile"]["id"]) == 1
    counted = [run for minute in collector.pipeline.ledger.runs.minutes.values() for run in minute.elements()]
    assert [(run.outcome, run.ports, run.node, run.port) for run in counted] == [
        ("paused", ("failed", None, None), "total", "failed"),
        ("finished", (None, "done", "done"), "", ""),
    ]


def test_counts_of_a_minute_are_bounded_and_stay_exact_in_their_sum() -> None:
    counter = RunCounter()
    for n in range(MAX_KEYS + 100):
        counter.count((RunKey("f", "v", "failed", ("failed",), "n", "failed", f"reason {n}"),), NOW)
    (counts,) = counter.take().values()
    assert len(counts) == MAX_KEYS + 1
    assert sum(counts.values()) == MAX_KEYS + 100
    assert counter.take() == {}
