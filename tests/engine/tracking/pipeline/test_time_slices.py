"""Long work leaves time to others: who goes on when, on a clock on which each look takes longer than a slice."""

import asyncio
from collections.abc import Generator
from itertools import count

import pytest

from engine.ports.store import Store
from engine.tracking.pipeline.time_slices import TimeSlices
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.flow_texts import COUNT
from tests.projects import payload, project

SLOW = [{"type": "hit", "id": f"e-{number}"} for number in range(100)]


def shop_on_slow_clock(store: Store) -> Collector:
    """A shop in which every step takes longer than a time slice."""
    shop, ticks = Collector(project(COUNT), store), count()
    shop.pipeline.slices = TimeSlices(lambda: float(next(ticks)))
    return shop


async def test_another_visitor_is_answered_while_a_payload_of_many_events_runs() -> None:
    store = MemoryStore()  # whose commits take no time, in which the payload could end
    shop = shop_on_slow_clock(store)
    await shop.track(payload("hit", session="first"))
    large = asyncio.create_task(shop.track(payload(*SLOW, session="large"), debug=False))
    await asyncio.sleep(0)
    for _ in range(3):
        await shop.track(payload("hit", session="other"))
    assert not large.done()
    await large
    session = await store.session("shop", "large")
    assert session is not None
    assert (await shop.profile(str(session.profile)))["traits"]["hits"] == 100


async def test_events_of_the_same_visitor_still_take_effect_after_the_payload(store: Store) -> None:
    shop = shop_on_slow_clock(store)
    order: list[str] = []

    async def track(name: str, *events: dict[str, str]) -> None:
        await shop.track(payload(*events), debug=False)
        order.append(name)

    await shop.track(payload("hit"))
    large = asyncio.create_task(track("large", *SLOW))
    await asyncio.sleep(0)
    await asyncio.gather(large, track("small", {"type": "hit", "id": "e-0"}))
    assert order == ["large", "small"]
    session = await store.session("shop", "s-1")
    assert session is not None
    assert (await shop.profile(str(session.profile)))["traits"]["hits"] == 101


async def test_works_take_turns_and_each_comes_to_its_result() -> None:
    ticks, log = count(), list[str]()
    slices = TimeSlices(lambda: float(next(ticks)))

    def steps(name: str) -> Generator[None, None, str]:
        for _ in range(3):
            log.append(name)
            yield
        return name.upper()

    assert await asyncio.gather(*(slices.run(steps(name)) for name in "abc")) == ["A", "B", "C"]
    assert "".join(log) == "aabbccabc"  # a slice begins after the first step


async def test_one_work_goes_on_in_each_iteration_of_the_loop() -> None:
    ticks, log = count(), list[str]()
    slices = TimeSlices(lambda: float(next(ticks)))

    def steps() -> Generator[None, None, None]:
        for _ in range(20):
            log.append("work")
            yield

    works = [asyncio.create_task(slices.run(steps())) for _ in range(4)]
    await asyncio.sleep(0)
    log.clear()
    while not all(work.done() for work in works):
        log.append("other")
        await asyncio.sleep(0)
    assert "workwork" not in "".join(log)
    assert log.count("work") == 4 * 18


async def test_short_work_is_done_at_once() -> None:
    slices = TimeSlices(lambda: 0.0)
    others = list[str]()

    def steps() -> Generator[None, None, str]:
        for _ in range(100):
            yield
        return "done"

    asyncio.get_running_loop().call_soon(others.append, "ready")
    assert await slices.run(steps()) == "done"
    assert others == []


async def test_work_that_is_cancelled_while_it_waits_holds_nobody_up() -> None:
    ticks = count()
    slices = TimeSlices(lambda: float(next(ticks)))

    def steps() -> Generator[None, None, str]:
        for _ in range(5):
            yield
        return "done"

    works = [asyncio.create_task(slices.run(steps())) for _ in range(3)]
    await asyncio.sleep(0)
    works[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await works[0]
    assert await asyncio.gather(*works[1:]) == ["done", "done"]
