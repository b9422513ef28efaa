"""Units of one profile: turns, what is ahead, and shared commits."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from engine.ports.records import CacheEntry, IdentityKey, ProcessedEvent, ProfileWrite, SessionRead, Unit
from engine.ports.store import Conflict, Store, Unavailable
from engine.tracking.pipeline.profile_queue import MAX_TOGETHER, ProfileQueues
from engine.tracking.unit.cache import ProfileCache
from engine.tracking.unit.combine import combine_units
from engine.tracking.unit.ledger import Ledger
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project
from tests.storage.build import event, everything, profile, rejected, run, session_write, whole_unit, write

COUNT = """
flow: count
trigger: {event: hit}
nodes:
  up: {profile.increment: {traits.hits: 1}}
"""

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""


class Gate:
    """A store whose commits wait until they are let through, or fail."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.units: list[Unit] = []
        self.failures: list[Exception] = []
        self.open = asyncio.Event()
        self.one_by_one = False  # it closes behind each
        self.knocked = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, unit: Unit) -> None:
        self.units.append(unit)
        self.knocked.set()
        await self.open.wait()
        if self.one_by_one:
            self.open.clear()
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


async def test_a_request_that_is_cancelled_before_its_commit_takes_nobody_with_it(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    tasks[0].cancel()  # the gate has not let it through: the others rested on it, and run again
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, *[False] * 4]
    assert await hits(shop) == 5
    assert (shop.tracker.ledger.received, shop.tracker.ledger.stored) == (4, 4)


async def test_a_request_that_is_cancelled_once_it_has_boarded_is_stored_and_counted(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    tasks[3].cancel()
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [*[False] * 3, True, False]
    assert await hits(shop) == 6
    assert (shop.tracker.ledger.received, shop.tracker.ledger.stored) == (5, 5)


async def test_a_line_keeps_of_what_has_landed_nothing_but_where_it_stands(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    bodies = [payload({"type": "hit", "id": f"e-{i}"}) for i in range(6)]
    tasks = await waiting(gate, shop, bodies[:3])
    gate.knocked.clear()
    gate.one_by_one = True
    gate.open.set()
    await tasks[0]
    await gate.knocked.wait()  # the second commit, with the other two, is on its way
    tasks += [asyncio.create_task(shop.track(body)) for body in bodies[3:]]
    for _ in range(200):
        await asyncio.sleep(0)
    (line,) = shop.tracker.queues.active
    assert line.uncommitted is not None
    assert {event for _, event in line.uncommitted.marks} == {f"e-{i}" for i in range(1, 6)}
    gate.one_by_one = False
    gate.open.set()
    await asyncio.gather(*tasks)
    assert await hits(shop) == 7
    assert list(shop.tracker.queues.active) == []


async def test_more_units_than_fit_into_one_commit_go_with_the_next(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(MAX_TOGETHER + 3)])
    gate.open.set()
    await asyncio.gather(*tasks)
    assert [len(unit.events) for unit in gate.units] == [1, MAX_TOGETHER, 2]
    assert await hits(shop) == MAX_TOGETHER + 4


async def test_after_a_conflict_a_unit_runs_once_more_and_no_more(gate: Gate) -> None:
    shop = Collector(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit")])
    await Collector(project(COUNT), gate.store).track(payload("hit"))  # another process
    gate.open.set()
    await asyncio.gather(*tasks)
    assert len(gate.units) == 2


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


async def test_who_merges_waits_until_nothing_of_its_line_is_under_way(store: Store) -> None:
    gate, ann = Gate(store), {"email": "ann@example.com"}
    gate.open.set()
    shop = Collector(project(COUNT, LOGIN), gate)
    for session in ("other", "s-1"):
        await shop.track(payload("hit", session=session))
    await shop.track(payload({"type": "login", "properties": ann}, session="other"))
    gate.units.clear()
    tasks = await waiting(gate, shop, [payload("hit"), payload({"type": "login", "properties": ann}), payload("hit")])
    assert len(gate.units) == 1
    gate.open.set()
    await asyncio.gather(*tasks)
    assert await hits(shop) == 4


class LateMarks(Gate):
    """A gate that tells late which events have taken effect, once it is asked to."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.late = False
        self.reading = asyncio.Event()
        self.go = asyncio.Event()

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        found = await self.store.marks(source, events)
        if self.late:
            self.late = False
            self.reading.set()
            await self.go.wait()
        return found


async def test_a_repeat_of_what_was_not_committed_after_all_takes_effect_itself(store: Store) -> None:
    gate = LateMarks(store)
    gate.open.set()
    shop = Collector(project(COUNT), gate)
    await shop.track(payload("hit"))
    body = payload({"type": "hit", "id": "e-1"})
    (first,) = await waiting(gate, shop, [body])
    gate.late = True
    again = asyncio.create_task(shop.track(body))
    await gate.reading.wait()
    gate.failures.append(Unavailable("the disk is full"))
    gate.open.set()
    assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], Unavailable)
    gate.go.set()
    assert (await again)["debugging"]["execution"]["e-1"]["disposition"] == "stored"
    assert await store.event("e-1") is not None


async def test_that_nothing_has_changed_is_not_said_before_what_was_looked_at_is_committed(store: Store) -> None:
    id = (await Collector(project(COUNT), store).track(payload("hit")))["profile"]["id"]
    gate = Gate(store)
    shop = Collector(project(COUNT, segments={"new": "profile.traits.hits >= 1"}), gate)
    (hit,) = await waiting(gate, shop, [payload("hit")])
    looking = asyncio.create_task(shop.tracker.reevaluate(id))
    for _ in range(200):
        await asyncio.sleep(0)
    assert not looking.done()
    gate.failures.append(Unavailable("the disk is full"))
    gate.open.set()
    with pytest.raises(Unavailable):
        await hit
    with pytest.raises(Unavailable):
        await looking
    assert await shop.tracker.reevaluate(id)
    assert (await shop.profile(id))["segments"] == ["new"]


async def test_a_waiter_that_is_cancelled_gives_its_place_up() -> None:
    lines = ProfileQueues(MemoryStore(), ProfileCache(), Ledger())
    line, _ = await lines.acquire("p")
    waiters = [asyncio.ensure_future(lines.acquire("p")) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    lines.release(line)  # in the same moment
    assert (await asyncio.gather(*waiters[:2], return_exceptions=True))[1] == (line, True)
    lines.release(line)
    assert await waiters[2] == (line, True)
    lines.release(line)
    assert (await lines.acquire("p"))[1] is False


async def test_joined_units_leave_what_they_leave_one_by_one() -> None:
    due = structs.replace(profile("ann", 2, n=2), due=77)
    units = [
        structs.replace(whole_unit(), session_reads=(SessionRead("web", "nobody's", 0),)),
        Unit(
            profiles=(ProfileWrite(due, 1),),
            sessions=(session_write("visit", 1, page=2),),
            session_reads=(SessionRead("web", "visit", 1),),  # which the one before has written
            keys=(IdentityKey("pii.phone=1", "ann"),),
            events=(event("e-1"),),
        ),
        Unit(
            profiles=(ProfileWrite(structs.replace(due, version=3), 2, due_moved=False),),
            sessions=(session_write("other", 0),),
            session_reads=(SessionRead("web", "visit", 2),),
            runs=(run("r-1", "e-1"),),
            rejected=(rejected("x-1"),),
            cache=(CacheEntry("c-1", {"tier": "gold"}, 1000),),
        ),
    ]
    apart, together = MemoryStore(), MemoryStore()
    for unit in units:
        await apart.commit(unit)
    await together.commit(combine_units(units))
    for store in (apart, together):
        assert await store.due(100, 10) == ["ann"]
        assert await store.key("pii.phone=1") == IdentityKey("pii.phone=1", "ann")
        assert await store.session("web", "other") is not None
    assert await everything(together) == await everything(apart)
    assert combine_units(units).profiles[0].due_moved  # a store may leave the due time out where none has moved it
    with pytest.raises(Conflict):
        await together.commit(combine_units(units))


async def test_what_joined_units_rest_on_is_looked_at() -> None:
    store = MemoryStore()
    await store.commit(Unit(sessions=(session_write("visit", 0),)))
    rests = Unit(profiles=(write("ann", 0, n=1),), session_reads=(SessionRead("web", "visit", 0),))
    with pytest.raises(Conflict):
        await store.commit(combine_units([rests, Unit(profiles=(write("ann", 1, n=2),))]))
