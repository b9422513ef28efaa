"""Units of one profile: they take turns, start from uncommitted state, and share commits."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from engine.ports.records import CacheEntry, IdentityKey, ProcessedEvent, ProfileWrite, SessionRead, SessionWrite, Unit
from engine.ports.store import Conflict, Store, TooLarge, Unavailable
from engine.project.project import Project
from engine.tracking.operations.reevaluation import reevaluate
from engine.tracking.pipeline.profile_queue import MAX_TOGETHER, ProfileQueues
from engine.tracking.unit.cache import ProfileCache
from engine.tracking.unit.combine import combine_units
from engine.tracking.unit.ledger import Ledger
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.flow_texts import COUNT, LOGIN
from tests.projects import payload, project
from tests.storage.build import event, everything, profile, rejected, run, session_write, whole_unit


class GatedStore:
    """A store whose commits wait until the gate is open, or fail."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.units: list[Unit] = []
        self.failures: list[Exception] = []
        self.open = asyncio.Event()
        self.one_by_one = False  # it closes behind each
        self.arrived = asyncio.Event()  # a commit is at the gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, unit: Unit) -> None:
        self.units.append(unit)
        self.arrived.set()
        await self.open.wait()
        if self.one_by_one:
            self.open.clear()
        if self.failures:
            raise self.failures.pop(0)
        await self.store.commit(unit)


class WatchedQueues(ProfileQueues):
    """Queues that say when so many callers wait for a lock or for a commit that another caller makes."""

    def __init__(self, store: Store, cache: ProfileCache, ledger: Ledger) -> None:
        super().__init__(store, cache, ledger)
        self._waiters: list[asyncio.Future[None]] = []
        self._more = asyncio.Event()

    def waiter(self) -> "asyncio.Future[None]":
        waiter = super().waiter()
        self._waiters.append(waiter)
        self._more.set()
        return waiter

    async def waiting(self, callers: int) -> None:
        while sum(not waiter.done() for waiter in self._waiters) < callers:
            self._more.clear()
            await self._more.wait()


class Shop(Collector):
    """A collector with watched queues."""

    def __init__(self, project: Project, store: Store) -> None:
        super().__init__(project, store)
        self.queues = WatchedQueues(store, self.pipeline.cache, self.pipeline.ledger)
        self.pipeline.queues = self.queues


@pytest.fixture
async def gate(store: Store) -> GatedStore:
    gate = GatedStore(store)
    gate.open.set()
    await Collector(project(COUNT), gate).track(payload("hit"))
    gate.units.clear()
    return gate


async def waiting(gate: GatedStore, shop: Shop, bodies: list[dict[str, Any]]) -> "list[asyncio.Task[dict[str, Any]]]":
    """Start requests: the first one's commit waits at the gate, and each of the others waits in its queue."""
    await shop.tracker.start()
    gate.open.clear()
    gate.arrived.clear()
    tasks = [asyncio.create_task(shop.track(body)) for body in bodies]
    await gate.arrived.wait()
    await shop.queues.waiting(len(bodies) - 1)
    return tasks


async def hits(shop: Shop) -> int:
    session = await shop.store.session("shop", "s-1")
    assert session is not None
    assert session.profile is not None
    return int((await shop.profile(session.profile))["traits"]["hits"])


async def test_units_that_wait_for_a_commit_share_the_next_one(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(20)])
    assert [task.done() for task in tasks] == [False] * 20
    gate.open.set()
    await asyncio.gather(*tasks)
    assert [len(unit.events) for unit in gate.units] == [1, 19]
    assert await hits(shop) == 21


async def test_units_that_rest_on_a_failed_commit_fail_with_it(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    gate.failures.append(Unavailable("the disk is full"))
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["the disk is full"] * 5
    assert await hits(shop) == 1
    await shop.track(payload("hit"))
    assert await hits(shop) == 2


async def test_a_unit_that_is_too_large_fails_alone(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    gate.failures.append(TooLarge("it is too large"))
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == ["it is too large"]
    assert await hits(shop) == 5


class SmallStore(GatedStore):
    """Refuses units of more than two events as too large, and those of a type always."""

    async def commit(self, unit: Unit) -> None:
        if len(unit.events) > 2 or any(event.type == "large" for event in unit.events):
            raise TooLarge("it is too large")
        await super().commit(unit)


async def test_units_that_are_too_large_only_together_are_committed(gate: GatedStore) -> None:
    small = SmallStore(gate.store)
    shop = Shop(project(COUNT), small)
    tasks = await waiting(small, shop, [payload("hit") for _ in range(5)])
    small.open.set()
    await asyncio.gather(*tasks)
    assert await hits(shop) == 6


async def test_a_unit_that_is_too_large_is_refused_also_after_it_was_joined_with_others(gate: GatedStore) -> None:
    small = SmallStore(gate.store)
    shop = Shop(project(COUNT), small)
    tasks = await waiting(small, shop, [payload(type) for type in ("hit", "hit", "large", "hit")])
    small.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [dict, dict, TooLarge, dict]
    assert await hits(shop) == 4


async def test_after_a_conflict_all_units_that_rested_on_it_run_again(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    await Collector(project(COUNT), gate.store).track(payload("hit"))  # another process
    gate.open.set()
    await asyncio.gather(*tasks)
    assert await hits(shop) == 7


async def test_a_request_that_is_cancelled_before_its_commit_does_not_fail_the_others(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    tasks[0].cancel()  # the gate has not let it through: the others rested on it, and run again
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, *[False] * 4]
    assert await hits(shop) == 5
    assert shop.pipeline.ledger.totals().stored == 4


async def test_a_request_that_is_cancelled_once_it_is_enqueued_is_stored_and_counted(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(5)])
    tasks[3].cancel()
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [*[False] * 3, True, False]
    assert await hits(shop) == 6
    assert shop.pipeline.ledger.totals().stored == 5


async def test_a_queue_keeps_nothing_of_stored_units_but_the_newest_profile(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    bodies = [payload({"type": "hit", "id": f"e-{i}"}) for i in range(6)]
    tasks = await waiting(gate, shop, bodies[:3])
    gate.arrived.clear()
    gate.one_by_one = True
    gate.open.set()
    await tasks[0]
    await gate.arrived.wait()  # the second commit, with the other two, is on its way
    tasks += [asyncio.create_task(shop.track(body)) for body in bodies[3:]]
    await shop.queues.waiting(4)  # one of the second commit, and the three that came after it
    (queue,) = shop.queues.active
    assert queue.uncommitted is not None
    assert {event for _, event in queue.uncommitted.marks} == {f"e-{i}" for i in range(1, 6)}
    gate.one_by_one = False
    gate.open.set()
    await asyncio.gather(*tasks)
    assert await hits(shop) == 7
    assert list(shop.queues.active) == []


async def test_more_units_than_fit_into_one_commit_are_in_the_next_one(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit") for _ in range(MAX_TOGETHER + 3)])
    gate.open.set()
    await asyncio.gather(*tasks)
    assert [len(unit.events) for unit in gate.units] == [1, MAX_TOGETHER, 2]
    assert await hits(shop) == MAX_TOGETHER + 4


async def test_after_a_conflict_a_unit_runs_exactly_once_again(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    tasks = await waiting(gate, shop, [payload("hit")])
    await Collector(project(COUNT), gate.store).track(payload("hit"))  # another process
    gate.open.set()
    await asyncio.gather(*tasks)
    assert len(gate.units) == 2


async def test_a_repeat_is_not_acknowledged_before_the_event_that_it_repeats(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    body = payload({"type": "hit", "id": "e-1"})
    tasks = await waiting(gate, shop, [body, payload("hit"), body])
    assert [task.done() for task in tasks] == [False] * 3
    gate.open.set()
    answers = await asyncio.gather(*tasks)
    became = [answers[i]["debugging"]["execution"]["e-1"]["disposition"] for i in (0, 2)]
    assert sorted(became) == ["duplicate", "stored"]
    assert await hits(shop) == 3


async def test_a_unit_that_merges_waits_until_nothing_of_its_queue_is_under_way(store: Store) -> None:
    gate, ann = GatedStore(store), {"email": "ann@example.com"}
    gate.open.set()
    shop = Shop(project(COUNT, LOGIN), gate)
    for session in ("other", "s-1"):
        await shop.track(payload("hit", session=session))
    await shop.track(payload({"type": "login", "properties": ann}, session="other"))
    gate.units.clear()
    tasks = await waiting(gate, shop, [payload("hit"), payload({"type": "login", "properties": ann}), payload("hit")])
    assert len(gate.units) == 1
    gate.open.set()
    await asyncio.gather(*tasks)
    assert await hits(shop) == 4


class LateMarks(GatedStore):
    """A gated store whose next look-up of marks, once `late` is set, returns after `go`."""

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


async def test_a_repeat_of_an_event_whose_commit_failed_takes_effect_itself(store: Store) -> None:
    gate = LateMarks(store)
    gate.open.set()
    shop = Shop(project(COUNT), gate)
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


async def test_nothing_has_changed_is_not_answered_before_the_profile_read_is_stored(store: Store) -> None:
    id = (await Collector(project(COUNT), store).track(payload("hit")))["profile"]["id"]
    gate = GatedStore(store)
    shop = Shop(project(COUNT, segments={"new": "profile.traits.hits >= 1"}), gate)
    (hit,) = await waiting(gate, shop, [payload("hit")])
    looking = asyncio.create_task(reevaluate(shop.pipeline, id))
    await shop.queues.waiting(1)
    assert not looking.done()
    gate.failures.append(Unavailable("the disk is full"))
    gate.open.set()
    with pytest.raises(Unavailable):
        await hit
    with pytest.raises(Unavailable):
        await looking
    assert await reevaluate(shop.pipeline, id)
    assert (await shop.profile(id))["segments"] == ["new"]


async def test_units_of_one_commit_that_read_different_versions_of_a_session_run_again(gate: GatedStore) -> None:
    shop = Shop(project(COUNT), gate)
    id = (await shop.track(payload("hit")))["profile"]["id"]
    cached = shop.pipeline.cache.sessions.get(("shop", "s-1"))
    assert cached is not None
    newer = structs.replace(cached, version=cached.version + 1)
    await gate.store.commit(Unit(sessions=(SessionWrite(newer, cached.version),)))
    gate.units.clear()
    tasks = await waiting(gate, shop, [payload("hit", session="other", profile={"id": id})])
    for n, session in enumerate([cached, newer], 1):
        shop.pipeline.cache.sessions.put(("shop", "s-1"), session)
        tasks.append(asyncio.create_task(shop.track(payload("hit"))))
        await shop.queues.waiting(n)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert [len(unit.events) for unit in gate.units] == [1, 1, 1]  # the last two could not share a commit
    assert await hits(shop) == 5
    assert shop.pipeline.cache.sessions.get(("shop", "s-1")) == newer


async def test_a_waiter_that_is_cancelled_as_it_gets_the_lock_passes_it_on() -> None:
    queues, order = WatchedQueues(MemoryStore(), ProfileCache(), Ledger()), list[tuple[int, bool]]()

    async def take_turn(n: int) -> None:
        async with queues.exclusive("p") as queue:
            order.append((n, queue.stale))

    async with queues.exclusive("p") as held:
        assert not held.stale
        turns = [asyncio.create_task(take_turn(n)) for n in range(3)]
        await queues.waiting(3)
        turns[0].cancel()
    outcomes = await asyncio.gather(*turns, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, False, False]
    assert order == [(1, True), (2, True)]
    assert list(queues.active) == []


async def test_a_waiter_that_is_cancelled_after_it_got_the_lock_passes_it_on() -> None:
    queues, order = WatchedQueues(MemoryStore(), ProfileCache(), Ledger()), list[int]()

    async def take_turn(n: int) -> None:
        async with queues.exclusive("p"):
            order.append(n)

    async with queues.exclusive("p"):
        turns = [asyncio.create_task(take_turn(n)) for n in range(2)]
        await queues.waiting(2)
    turns[0].cancel()  # the lock is its own by now, though it has not run yet
    await asyncio.gather(*turns, return_exceptions=True)
    assert order == [1]
    assert list(queues.active) == []


async def test_a_failure_under_the_lock_frees_it() -> None:
    queues = ProfileQueues(MemoryStore(), ProfileCache(), Ledger())
    with pytest.raises(ValueError, match="a bug"):
        async with queues.exclusive("p"):
            raise ValueError("a bug")
    assert list(queues.active) == []


async def test_rewriting_drops_the_cached_copies_of_all_touched_ids_even_if_it_fails(store: Store) -> None:
    shop = Collector(project(COUNT), store)
    ids = [(await shop.track(payload("hit", session=name)))["profile"]["id"] for name in ("a", "b")]
    cache = shop.pipeline.cache
    assert [cache.profile(id) is not None for id in ids] == [True, True]

    async def rewrite() -> None:
        async with shop.pipeline.queues.rewriting(ids[0]) as touched:
            touched.add(ids[1])
            raise Conflict("profile", ids[0])

    with pytest.raises(Conflict):
        await rewrite()
    assert [cache.profile(id) for id in ids] == [None, None]


async def test_combined_units_write_the_same_as_one_after_another() -> None:
    due = structs.replace(profile("ann", 2, n=2), due=77)
    units = [
        structs.replace(whole_unit(), session_reads=(SessionRead("web", "nobody's", 0),)),
        Unit(
            profiles=(ProfileWrite(due, 1),),
            sessions=(session_write("visit", 1, page=2),),
            session_reads=(SessionRead("web", "visit", 1),),  # which the unit before has written
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
