"""Timers of a running server: profiles that are due are woken, by one process at a time."""

import asyncio

import pytest
from structlog.testing import capture_logs

from api import timers
from api.timers import BackgroundTimers
from engine.ports.records import Unit
from storage.memory import MemoryStore
from tests.api.test_segment_refresh import shop
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.operations.test_reevaluation import LAPSED, swap
from tests.engine.tracking.pipeline.test_segment_events import SET, revenue
from tests.projects import project

DAY = 86_400_000


async def working(collector: Collector) -> BackgroundTimers:
    """Return the timers of a process that has asked for the lease."""
    work = BackgroundTimers(collector.pipeline)
    await work.tend()
    return work


async def test_due_profiles_are_evaluated_again() -> None:
    collector, store = await shop(3, **LAPSED)
    collector.clock.advance(31 * DAY)
    work = await working(collector)
    assert len(await store.due(collector.clock.now(), 10)) == 3
    await work.turn()
    assert await store.due(collector.clock.now(), 10) == []


async def test_without_segments_by_time_due_profiles_are_searched_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    collector, store = await shop(1, rich="profile.traits.revenue > 5")
    whom = store.due

    async def due(before: int, limit: int) -> list[str]:
        asked.append(before)
        return await whom(before, limit)

    monkeypatch.setattr(store, "due", due)
    work = await working(collector)
    for _ in range(2 * timers.UNTIMED_EVERY):
        await work.turn()
    assert len(asked) == 2


async def test_without_segments_by_time_profiles_that_are_due_are_all_evaluated_again_turn_by_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timers, "MAX_DUE", 1)
    collector, store = await shop(3, **LAPSED)
    swap(collector, project(SET))
    collector.clock.advance(31 * DAY)
    work = await working(collector)
    for left in (2, 1, 0):
        await work.turn()
        assert len(await store.due(collector.clock.now(), 10)) == left


async def test_only_the_holder_of_the_lease_searches_and_another_follows_when_it_ends() -> None:
    collector, store = await shop(2, **LAPSED)
    first, second = await working(collector), await working(collector)
    collector.clock.advance(31 * DAY)
    await first.tend()  # it is still the holder
    await second.turn()
    assert len(await store.due(collector.clock.now(), 10)) == 2
    async with first.running():
        pass  # its end leaves the lease to others
    await second.tend()
    await second.turn()
    assert await store.due(collector.clock.now(), 10) == []


async def test_a_clock_that_is_set_is_logged_with_both_times() -> None:
    collector, _ = await shop(0)
    collector.clock.set(1_700_000_000_000)
    work = await working(collector)
    with capture_logs() as logs:
        for ms in (0, 30_000, 60_000):
            collector.clock.advance(ms)
            await work.turn()
        collector.clock.set(collector.clock.now() + 9_000)
        await work.turn()
        collector.clock.set(collector.clock.now() - 60_000)
        await work.turn()
    assert [(line["expected"], line["found"]) for line in logs] == [
        ("2023-11-14T22:14:59+00:00", "2023-11-14T22:13:59+00:00")
    ]


class Watched(MemoryStore):
    """A store that tells when a profile is written without an event."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = asyncio.Event()

    async def commit(self, unit: Unit) -> None:
        await super().commit(unit)
        if not unit.events:
            self.woken.set()


async def test_a_running_server_wakes_profiles_periodically(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "SECONDS", 0.01)
    store = Watched()
    collector = Collector(project(SET, segments=LAPSED), store)
    await collector.track(revenue(1))
    collector.clock.advance(31 * DAY)
    async with BackgroundTimers(collector.pipeline).running():
        await store.woken.wait()
    assert collector.pipeline.listeners == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
