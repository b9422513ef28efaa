"""Timers: which profiles are woken, in which order, and what holds up what."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from msgspec import structs

from engine.ports.kinds import WAITS
from engine.ports.records import ProfileWrite, RecordWrite, Unit
from engine.ports.store import Contention, Store, Unavailable
from engine.ports.waiting_run import WaitingRun
from engine.profile.document import Profile, WaitStub, new_profile
from engine.tracking.waits import timers
from engine.tracking.waits.timers import PUT_OFF_SECONDS, Timers
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.projects import project


class Waking:
    """Notes who is woken. A profile is no longer due once it was woken, unless that fails. It may take some ms."""

    def __init__(self, collector: Collector) -> None:
        self.store: Store = collector.store
        self.clock = collector.clock
        self.woken: list[str] = []
        self.failing: dict[str, BaseException] = {}
        self.running = self.most = self.takes = 0

    async def __call__(self, id: str) -> bool:
        self.woken.append(id)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.clock.advance(self.takes)
        self.running -= 1
        if id in self.failing:
            raise self.failing[id]
        profile = await self.store.profile(id)
        assert profile is not None
        await self.store.commit(writing(structs.replace(profile, version=profile.version + 1, due=None, waits=())))
        return True


class Lease:
    """A lease that is held or not."""

    held = True


def writing(profile: Profile) -> Unit:
    return Unit(profiles=(ProfileWrite(profile, profile.version - 1),))


def waiting(id: str, due: int) -> Profile:
    stub = WaitStub(f"run of {id}", 1, "cart", id, 0, due)
    return structs.replace(new_profile(id, 0), version=1, due=due, waits=(stub,))


async def shop(*due: tuple[str, int], **more: Any) -> tuple[Collector, Waking, Timers]:
    """A process over a store with profiles that are due at these times after now (ms)."""
    collector = Collector(project(), MemoryStore())
    for id, after in due:
        await collector.store.commit(writing(waiting(id, collector.clock.now() + after)))
    waking = Waking(collector)
    return collector, waking, Timers(collector.pipeline, waking, **more)


async def test_those_due_longest_are_woken_first_and_those_not_due_are_not() -> None:
    _, waking, work = await shop(("a", 0), ("b", -30), ("c", -9), ("d", 1))
    assert await work.turn(1, 100) == 3
    assert waking.woken == ["b", "c", "a"]


async def test_a_turn_wakes_some_side_by_side_and_not_more_than_it_may() -> None:
    _, waking, work = await shop(*[(f"p{n:03}", n - 300) for n in range(300)])
    assert await work.turn(1, 250) == 250
    assert waking.woken == [f"p{n:03}" for n in range(250)]
    assert waking.most == timers.SIDE_BY_SIDE
    assert await work.turn(1, 250) == 50


async def test_a_turn_ends_after_its_time() -> None:
    _, waking, work = await shop(*[(f"p{n:03}", n - 300) for n in range(300)])
    waking.takes = 10
    assert await work.turn(1, 500) == timers.BATCH


async def test_without_the_lease_nothing_is_searched() -> None:
    lease = Lease()
    lease.held = False
    _, waking, work = await shop(("a", 0), lease=lease)
    assert await work.turn(1, 100) == 0
    lease.held = True
    assert await work.turn(1, 100) == 1
    assert waking.woken == ["a"]


async def test_one_that_fails_does_not_hold_up_those_behind_it_and_is_tried_again_later() -> None:
    collector, waking, work = await shop(("bug", -9), ("busy", -8), ("c", -7))
    waking.failing = {"bug": LookupError("a bug"), "busy": Contention("it moves")}
    with pytest.raises(LookupError):
        await work.turn(1, 100)
    assert waking.woken == ["bug", "busy", "c"]
    assert await work.turn(1, 100) == 0
    waking.failing = {}
    collector.clock.advance(round(PUT_OFF_SECONDS * 1000))
    assert await work.turn(1, 100) == 2
    assert Counter(waking.woken) == {"bug": 2, "busy": 2, "c": 1}


async def test_many_that_fail_do_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BATCH", 2)
    _, waking, work = await shop(*[(f"p{n}", n - 9) for n in range(9)])
    waking.failing = {f"p{n}": Contention("it moves") for n in range(7)}
    woken = [await work.turn(1, 2) for _ in range(5)]
    assert woken == [2, 2, 2, 2, 1]
    assert Counter(waking.woken) == {f"p{n}": 1 for n in range(9)}


async def test_while_the_store_is_away_a_turn_ends_and_nobody_is_put_off() -> None:
    _, waking, work = await shop(("a", -9), ("b", -8))
    waking.failing = {"a": Unavailable("away")}
    with pytest.raises(Unavailable):
        await work.turn(1, 100)
    waking.failing = {}
    assert await work.turn(1, 100) == 1
    assert waking.woken == ["a", "b", "a"]


async def test_nobody_is_woken_while_the_spool_has_events_that_came_before() -> None:
    entries = [1]
    _, _, work = await shop(("a", 0), held_up=lambda: bool(entries))
    assert await work.turn(1, 100) == 0
    entries.clear()
    assert await work.turn(1, 100) == 1


@pytest.mark.parametrize(("busy", "pauses"), [(True, [0.048, 0.012]), (False, [])], ids=["visitors", "nobody"])
async def test_most_of_the_time_is_left_to_visitors(
    monkeypatch: pytest.MonkeyPatch, busy: bool, pauses: list[float]
) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        slept.append(round(seconds, 3))
        await sleep(0)

    _, waking, work = await shop(*[(f"p{n:02}", 0) for n in range(20)], visitors=lambda: busy)
    waking.takes = 1
    monkeypatch.setattr(asyncio, "sleep", note)
    await work.turn(1, 100)
    assert [each for each in slept if each] == pauses  # three times as long as the units took


# ---- waits that this process has committed ---------------------------------------------------------------------------


class Lagging(MemoryStore):
    """A store that finds due profiles only later."""

    finds = False

    async def due(self, before: int, limit: int) -> list[str]:
        return await super().due(before, limit) if self.finds else []


async def committed(due: int) -> tuple[Collector, Waking, Timers]:
    """A process that has committed a wait which ends after `due` ms, on a store that does not find it yet."""
    collector = Collector(project(), Lagging())
    profile = waiting("a", collector.clock.now() + due)
    fields: dict[str, Any] = {"flow": "cart", "flow_version": "1", "at": 0, "source": "web", "event": "e"}
    run = WaitingRun(id="run of a.1", profile="a", due=collector.clock.now() + due, **fields)
    change = RecordWrite(WAITS, run, 0)
    await collector.store.commit(structs.replace(writing(profile), changes=(change,)))
    waking = Waking(collector)
    work = Timers(collector.pipeline, waking, Lease())
    work.remember((change,))
    return collector, waking, work


@pytest.mark.parametrize("search", [True, False])
async def test_a_wait_that_this_process_has_committed_ends_in_time_though_the_store_does_not_find_it(
    search: bool,
) -> None:
    collector, waking, work = await committed(2_000)
    for woken in ([], [], ["a"], ["a"]):
        await work.turn(1, 100, search=search)
        assert waking.woken == woken
        collector.clock.advance(1_000)


async def test_a_wait_that_ends_later_is_left_to_the_store() -> None:
    collector, waking, work = await committed(timers.NEAR_MS + 1)
    collector.clock.advance(timers.NEAR_MS + 1)
    await work.turn(1, 100)
    assert waking.woken == []


async def test_a_profile_is_woken_once_in_a_turn_though_it_is_remembered_and_found() -> None:
    collector, waking, work = await committed(0)
    assert isinstance(collector.store, Lagging)
    collector.store.finds = True
    assert await work.turn(1, 100) == 1
    assert waking.woken == ["a"]
