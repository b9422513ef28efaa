"""Loops in a unit: an event for each line of a large order, look-ups side by side, limits, other work meanwhile."""

import asyncio
from itertools import count
from typing import Any

from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpReply
from engine.flow.loop import SLICE
from engine.ports.records import StoredEvent
from engine.ports.store import Conflict, Store
from engine.project.source import Target
from engine.tracking.unit.event import child_id
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.watched_performer import WatchedPerformer
from tests.projects import payload, project

TARGETS = {"erp": Target(url="https://erp.example")}
LINES = """
flow: lines
trigger: {event: order-paid}
nodes:
  lines:
    each:
      in: "$.event.properties.items[*]"
      do: {line: {event.emit: {type: order-line, properties: {sku: "{{ item.sku }}", index: "{{ index }}"}}}}
"""
SOLD = """
flow: sold
trigger: {event: order-line}
nodes:
  add: {profile.increment: {traits.lines: 1, traits.sum: "{{ event.properties.index }}"}}
"""
PRICES = """
flow: prices
trigger: {event: order-paid}
nodes:
  prices:
    each:
      in: "$.event.properties.items[*]"
      do: {price: {lookup.http: {target: erp, path: "/{{ item.sku }}"}}}
      collect: "{{ nodes.price.out }}"
      at_once: 4
    next: keep
  keep: {profile.set: {traits.prices: "{{ nodes.prices.out.items }}"}}
"""


def order(size: int) -> dict[str, Any]:
    items = [{"sku": f"s-{i}", "name": "A thing with a name of some length"} for i in range(size)]
    return {"type": "order-paid", "id": "e-1", "properties": {"items": items}}


async def stored(store: Store, answer: dict[str, Any], type: str) -> list[StoredEvent]:
    return [event for event in await store.events_of(answer["profile"]["id"], 2_000) if event.type == type]


def runs(answer: dict[str, Any], flow: str) -> list[dict[str, Any]]:
    every = [run for event in answer["debugging"]["execution"].values() for run in event["runs"]]
    return [run for run in every if run.get("flow") == flow and "steps" in run]


async def test_an_order_of_200_lines_emits_an_event_for_each(store: Store) -> None:
    collector = Collector(project(LINES, SOLD), store)
    answer = await collector.track(payload(order(200)), debug=False)
    lines = await stored(store, answer, "order-line")
    assert {event.properties["sku"] for event in lines} == {f"s-{i}" for i in range(200)}
    assert {event.id for event in lines} == {child_id("e-1", "lines", f"lines[{i}].line", i) for i in range(200)}
    traits = (await collector.profile(answer["profile"]["id"]))["traits"]
    assert traits == {"lines": 200, "sum": sum(range(200))}


async def test_the_same_order_sent_again_emits_nothing(store: Store) -> None:
    collector = Collector(project(LINES, SOLD), store)
    await collector.track(payload(order(20)))
    answer = await collector.track(payload(order(20)))
    assert len(await stored(store, answer, "order-line")) == 20


async def test_an_order_with_too_many_lines_is_an_error_that_names_the_limit(store: Store) -> None:
    two = LINES.replace("do: {line:", "do: {more: {event.emit: {type: other}, next: line}, line:")
    collector = Collector(project(two, SOLD), store)
    answer = await collector.track(payload(order(600)))
    (run,) = runs(answer, "lines")
    assert (run["outcome"], run["reason"]) == ("failed", "the run emits more than 1,000 events")
    assert await stored(store, answer, "order-line") == []


async def test_the_runs_of_a_unit_emit_so_many_events_together(store: Store) -> None:
    collector = Collector(project(LINES, LINES.replace("flow: lines", "flow: again")), store)
    answer = await collector.track(payload(order(600)))
    outcomes = {flow: runs(answer, flow)[0].get("reason", "finished") for flow in ("again", "lines")}
    assert outcomes == {"again": "finished", "lines": "the runs of the unit emit more than 1,000 events"}
    assert len(await stored(store, answer, "order-line")) == 600


async def test_the_events_of_a_unit_have_so_many_bytes_together(store: Store) -> None:
    whole = LINES.replace('{sku: "{{ item.sku }}", index: "{{ index }}"}', '"{{ event.properties }}"')
    collector = Collector(project(whole, whole.replace("flow: lines", "flow: again")), store)
    answer = await collector.track(payload(order(100) | {"properties": order(100)["properties"] | {"x": "y" * 50_000}}))
    outcomes = {flow: runs(answer, flow)[0].get("reason", "finished") for flow in ("again", "lines")}
    too_much = "the events that the runs of the unit emit have more than 8,388,608 bytes"
    assert outcomes == {"again": "finished", "lines": too_much}
    assert len(await stored(store, answer, "order-line")) == 100


async def test_a_chain_of_events_names_its_limit_and_the_remedy(store: Store) -> None:
    chain = """
    flow: chain
    trigger: {event: step}
    nodes:
      go: {event.emit: {type: step, properties: {n: "{{ event.properties.n + 1 }}"}}, when: event.properties.n < 12}
    """
    answer = await Collector(project(chain), store).track(payload({"type": "step", "properties": {"n": 1}}))
    failed = [run["reason"] for run in runs(answer, "chain") if run["outcome"] == "failed"]
    assert failed == ["events emit events more than 8 deep: for each item of a list, write one `each`"]


async def test_look_ups_of_turns_are_under_way_side_by_side(store: Store) -> None:
    erp, go_on = WatchedPerformer(), asyncio.Event()
    for i in range(6):
        erp.on("erp", f"/s-{i}", HttpReply(200, i), after=go_on)
    collector = Collector(project(PRICES, targets=TARGETS), store, erp)
    task = asyncio.ensure_future(collector.track(payload(order(6))))
    await erp.asked_times(4)
    assert [call.node for call in erp.calls] == [f"prices[{i}].price" for i in range(4)]
    go_on.set()
    answer = await task
    assert (await collector.profile(answer["profile"]["id"]))["traits"] == {"prices": [0, 1, 2, 3, 4, 5]}
    assert len(erp.calls) == 6


async def test_a_unit_that_runs_again_asks_no_turn_again(store: Store) -> None:
    erp = ScriptedPerformer()
    for i in range(3):
        erp.on("erp", f"/s-{i}", HttpReply(200, i))
    collector = Collector(project(PRICES, targets=TARGETS), store, erp)
    await collector.track(payload("other"))
    store_commit, conflicts = store.commit, [True]

    async def commit(unit: Any) -> None:
        if conflicts and len(erp.calls) == 3:
            conflicts.pop()
            raise Conflict("profile", "moved")
        await store_commit(unit)

    store.commit = commit  # type: ignore[method-assign]  # a store on which the first commit conflicts
    answer = await collector.track(payload(order(3)))
    assert (await collector.profile(answer["profile"]["id"]))["traits"] == {"prices": [0, 1, 2]}
    assert (len(erp.calls), conflicts) == (3, [])


async def test_a_long_loop_leaves_time_to_others(store: Store) -> None:
    long = """
    flow: long
    trigger: {event: order-paid}
    nodes:
      outer:
        each:
          in: "$.event.properties.items[0:60]"
          do: {inner: {each: {in: "$.event.properties.items[0:100]", do: {x: {log: "{{ index }}"}}}}}
    """
    collector = Collector(project(long), store)
    await collector.track(payload("other"))
    seconds = count()
    collector.pipeline.slices.ticks = lambda: next(seconds)  # each slice is over once it is looked at
    turns = 0

    async def others() -> None:
        nonlocal turns
        while not task.done():
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.ensure_future(collector.track(payload(order(100), session="s-2"), debug=False))
    await others()
    assert (await task)["profile"]["id"]
    assert turns > 6_060 // SLICE


async def test_a_failed_run_with_a_loop_has_its_trace(store: Store) -> None:
    failing = LINES.replace("do: {line:", "do: {bad: {fail: bad, when: index == 150, next: {skipped: line}}, line:")
    answer = await Collector(project(failing), store).track(payload(order(200)))
    (run,) = runs(answer, "lines")
    assert run["reason"] == "`lines[150].bad`: bad"
    step = run["steps"][0]
    assert [turn["index"] for turn in step["turns"]] == [*range(10), 150]
    assert step["turns_not_shown"] == 140
    assert step["turns"][-1]["error"] == "lines[150].bad: bad"
