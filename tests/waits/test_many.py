"""Thousands of pending waits: they survive restarts, and each ends once, in time.

Processes are dropped without any goodbye, also while they resume runs; the clock is moved, and nothing sleeps.
"""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from effects.clock import ManualClock
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from engine.ports.resolve import resolve_profile
from engine.ports.store import Store
from engine.profile.fold import fold
from engine.tracking.intake.payload import Incoming, Intake
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.waits.timers import Timers
from engine.tracking.waits.waking import wake
from storage.elasticsearch.store import ElasticsearchStore
from storage.sqlite.store import SqliteStore
from tests.projects import SHOP, project
from tests.storage.elasticsearch_requests import dropped
from tests.waits.model import LASTS

SOAK = pytest.mark.soak
LAST = LASTS["long"]
SIDE_BY_SIDE = 64
DYING = 0.02  # seconds after which a process ends in the middle of its work
FLOW = """
flow: nap
trigger: {event: tired}
while_waiting: parallel
nodes:
  sleep: {wait.until: "{{ event.properties.until }}", next: rise}
  rise: {profile.increment: {traits.woken: 1}, next: note}
  note: {profile.set: {traits.at: "{{ now }}"}}
"""
PROJECT = project(FLOW)


class Process:
    """A process that tracks events and wakes due profiles."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.pipeline = Pipeline(PROJECT, store, ScriptedPerformer(), clock, new_id)
        self.tracker = Tracker(self.pipeline)
        self.timers = Timers(self.pipeline, partial(wake, self.pipeline))

    async def begin(self, durations: dict[str, int]) -> None:
        """Begin a wait of so many ms for each session."""
        await self.tracker.start()
        todo, began = iter(durations.items()), self.pipeline.clock.now()

        async def some() -> None:
            for session, ms in todo:
                event = Incoming(0, f"e-{session}", "tired", {"until": began + ms}, {})
                await self.tracker.track(Intake(source=SHOP.source, session=session, events=(event,)), SHOP)

        await asyncio.gather(*[some() for _ in range(SIDE_BY_SIDE)])


async def wake_all(open_processes: Callable[[], Awaitable[Sequence[Process]]]) -> None:
    """Let processes wake what is due, side by side; those of each round end in the middle, but for the last."""
    left = True
    while left:
        turns = [asyncio.create_task(each.timers.turn(60, 500)) for each in await open_processes()]
        await asyncio.wait(turns, timeout=DYING)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        found = [await each.timers.turn(60, 100) for each in await open_processes()]
        left = any(found)


async def check(store: Store, clock: ManualClock, durations: dict[str, int], began: int) -> None:
    """Check that each wait has ended once, not before its time, and that those whose time has not come are open."""
    for session, ms in durations.items():
        known = await store.session(SHOP.source, session)
        assert known is not None
        assert known.profile is not None
        profile = await resolve_profile(store, known.profile)
        assert profile is not None
        traits: dict[str, Any] = fold(profile).get("traits", {})
        if began + ms <= clock.now():
            assert (traits.get("woken"), len(profile.waits)) == (1, 0), session
            assert traits["at"] >= began + ms
        else:
            assert (traits.get("woken"), len(profile.waits)) == (None, 1), session


def chosen(count: int) -> dict[str, int]:
    """How long each session waits: half of them end at one moment, the others at random ones."""
    chance = random.Random(7)
    return {f"s-{n}": LAST if n % 2 else chance.randint(LAST // 10, LAST) for n in range(count)}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("count", [3_000, pytest.param(10_000, marks=SOAK)])
async def test_pending_waits_survive_restarts_and_end_once_on_sqlite(tmp_path: Path, count: int) -> None:
    clock, durations = ManualClock(), chosen(count)
    began, stores = clock.now(), [SqliteStore.open(tmp_path / "headrace.db")]

    async def reopened() -> Sequence[Process]:
        await stores.pop().close()
        stores.append(SqliteStore.open(tmp_path / "headrace.db"))
        process = Process(stores[0], clock)
        await process.tracker.start()
        return [process]

    try:
        await Process(stores[0], clock).begin(durations)
        for passes in (LAST // 2, LAST // 2 - 1, 1):
            clock.advance(passes)
            await wake_all(reopened)
            await check(stores[0], clock, durations, began)
        assert await stores[0].due(2**53, 1) == []
    finally:
        await stores[0].close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=SOAK)])
async def test_pending_waits_end_once_with_two_processes_on_elasticsearch(elasticsearch_url: str, count: int) -> None:
    clock, durations, prefix = ManualClock(), chosen(count), f"t{uuid.uuid4().hex[:12]}"
    began = clock.now()
    stores = [ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}") for _ in range(2)]

    async def opened() -> Sequence[Process]:
        await stores[0]._search.refresh(stores[0]._names.profiles)
        processes = [Process(store, clock) for store in stores]
        for process in processes:
            await process.tracker.start()
        return processes

    try:
        await Process(stores[0], clock).begin(durations)
        for passes in (LAST // 2, LAST // 2):
            clock.advance(passes)
            await wake_all(opened)
            await check(stores[1], clock, durations, began)
    finally:
        for store in stores:
            await store.close()
        await dropped(elasticsearch_url, prefix)
