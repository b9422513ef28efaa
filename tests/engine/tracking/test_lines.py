"""Units of one profile: turns, what is ahead, and shared commits."""

import asyncio
from typing import Any

import pytest

from engine.tracking.joined import joined
from engine.tracking.known import Known
from engine.tracking.lines import Lines
from engine.tracking.ports import Conflict, Store, Unavailable
from engine.tracking.records import Unit
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project
from tests.storage.build import event, everything, mark, session_write, write

COUNT = """
flow: count
trigger: {event: hit}
nodes:
  up: {profile.increment: {traits.hits: 1}}
"""


class Gate:
    """A store whose commits wait until they are let through, or fail."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.units: list[Unit] = []
        self.failures: list[Exception] = []
        self.open = asyncio.Event()
        self.knocked = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, unit: Unit) -> None:
        self.units.append(unit)
        self.knocked.set()
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        await self.store.commit(unit)


@pytest.fixture
async def gate(store: Store) -> Gate:
    gate = Gate(store)
    gate.open.set()
    await Collector(project(COUNT), gate).track(payload("hit"))
    gate.units.clear()
    return gate


async def waiting(gate: Gate, shop: Collector, bodies: list[dict[str, Any]]) -> "list[asyncio.Task[dict[str, Any]]]":
    """Requests under way: the first one's commit waits at the gate, the others have run."""
    await shop.tracker.start()
    gate.open.clear()
    gate.knocked.clear()
    tasks = [asyncio.create_task(shop.track(body)) for body in bodies]
    await gate.knocked.wait()
    for _ in range(200):
        await asyncio.sleep(0)
    return tasks


async def hits(shop: Collector) -> int:
    session = await shop.store.session("shop", "s-1")
    assert session is not None
    assert session.profile is not None
    return int((await shop.profile(session.profile))["traits"]["hits"])


async def test_units_that_wait_for_a_commit_share_the_next_one(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(20)])
    assert [task.done() for task in tasks] == [False] * 20
    gate.open.set()
    await asyncio.gather(*tasks)
    assert [len(unit.events) for unit in gate.units] == [1, 19]
    assert await hits(shop) == 21


async def test_what_rests_on_a_failed_commit_fails_with_it(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    gate.failures.append(Unavailable("the disk is full"))
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["the disk is full"] * 5
    assert await hits(shop) == 1
    await shop.track(payload("hit"))
    assert await hits(shop) == 2


async def test_after_a_conflict_everything_that_rested_on_it_runs_again(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    await Collector(project(COUNT), gate.store).track(payload("hit"))  # another process
    gate.open.set()
    await asyncio.gather(*tasks)
    assert await hits(shop) == 7


async def test_a_request_that_is_cancelled_takes_nobody_with_it(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    tasks[0].cancel()
    tasks[3].cancel()
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, False, False, True, False]
    assert 4 <= await hits(shop) <= 6


async def test_a_repeat_is_not_acknowledged_before_what_it_repeats(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    body = payload({"type": "hit", "id": "e-1"})
    tasks = await waiting(gate, shop, [body, payload("hit"), body])
    assert [task.done() for task in tasks] == [False] * 3
    gate.open.set()
    answers = await asyncio.gather(*tasks)
    became = [answers[i]["debugging"]["execution"]["e-1"]["disposition"] for i in (0, 2)]
    assert sorted(became) == ["duplicate", "stored"]
    assert await hits(shop) == 3


async def test_a_waiter_that_is_cancelled_gives_its_place_up() -> None:
    lines = Lines(MemoryStore(), Known())
    line, _ = await lines.take("p")
    waiters = [asyncio.ensure_future(lines.take("p")) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    lines.give(line)  # in the same moment
    assert (await asyncio.gather(*waiters[:2], return_exceptions=True))[1] == (line, True)
    lines.give(line)
    assert await waiters[2] == (line, True)
    lines.give(line)
    assert (await lines.take("p"))[1] is False


async def test_joined_units_leave_what_they_leave_one_by_one() -> None:
    units = [
        Unit(profiles=(write("ann", 0, n=1),), sessions=(session_write("visit", 0, page=1),), marks=(mark("e-0"),)),
        Unit(profiles=(write("ann", 1, n=2),), events=(event("e-1"),), sessions=(session_write("visit", 1, page=2),)),
        Unit(profiles=(write("ann", 2, n=3),), events=(event("e-2"),), sessions=(session_write("other", 0),)),
    ]
    apart, together = MemoryStore(), MemoryStore()
    for unit in units:
        await apart.commit(unit)
    await together.commit(joined(units))
    assert await everything(together) == await everything(apart)
    with pytest.raises(Conflict):
        await together.commit(joined(units))
