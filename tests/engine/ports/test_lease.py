"""A lease in any history of processes that renew, pause, lose answers and follow clocks of their own."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ports.lease import RENEW_SECONDS, TAKEOVER_SECONDS, VALID_SECONDS, Lease, LeaseNotes
from engine.ports.store import Unavailable
from storage.memory import MemoryStore

Ticks = Callable[[], float]


class World:
    """True time, which only the test reads; processes read it through clocks of their own."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self, rate: float = 1.0, offset: float = 0.0) -> Ticks:
        return lambda: offset + self.now * rate


class UnreliableNotes:
    """The notes of a store that may be away before a write, or lose the answer after it."""

    def __init__(self, notes: LeaseNotes) -> None:
        self._notes = notes
        self.fault: str | None = None  # of the next call: "before", "after" or None

    async def note(self, name: str) -> bytes | None:
        if self._taken() is not None:
            raise Unavailable("away")
        return await self._notes.note(name)

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        fault = self._taken()
        if fault == "before":
            raise Unavailable("away")
        written = await self._notes.replace_note(name, doc, expected)
        if fault == "after":
            raise Unavailable("the answer was lost")
        return written

    def _taken(self) -> str | None:
        fault, self.fault = self.fault, None
        return fault


class SlowNotes(LeaseNotes):
    """Notes whose answers take `seconds` of true time; what is written is there at once."""

    def __init__(self, notes: LeaseNotes, world: World, seconds: float) -> None:
        self._notes, self._world, self._seconds = notes, world, seconds

    async def note(self, name: str) -> bytes | None:
        doc = await self._notes.note(name)
        self._world.now += self._seconds
        return doc

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        written = await self._notes.replace_note(name, doc, expected)
        self._world.now += self._seconds
        return written


class PausingNotes(LeaseNotes):
    """Notes whose calls let other tasks run, before and after they are done; `yields` says how often, each in turn."""

    def __init__(self, notes: LeaseNotes) -> None:
        self._notes = notes
        self.yields: list[int] = []

    async def note(self, name: str) -> bytes | None:
        await self._pause()
        doc = await self._notes.note(name)
        await self._pause()
        return doc

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        await self._pause()
        written = await self._notes.replace_note(name, doc, expected)
        await self._pause()
        return written

    async def _pause(self) -> None:
        for _ in range(self.yields.pop(0) if self.yields else 0):
            await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def test_the_first_process_that_asks_holds_a_new_lease(world: World, store: MemoryStore) -> None:
    ann, bo = (Lease(store, "timers", name, world.clock()) for name in ("ann", "bo"))
    assert (await ann.tend(), await bo.tend(), ann.held, bo.held) == (True, False, True, False)
    assert (ann.term, bo.term) == (1, 1)


async def test_a_holder_that_renews_in_time_keeps_the_lease(world: World, store: MemoryStore) -> None:
    ann, bo = (Lease(store, "timers", name, world.clock()) for name in ("ann", "bo"))
    for _ in range(20):
        assert (await ann.tend(), await bo.tend()) == (True, False)
        world.now += RENEW_SECONDS


async def test_a_holder_that_stops_loses_the_lease_before_another_takes_it(world: World, store: MemoryStore) -> None:
    ann, bo = (Lease(store, "timers", name, world.clock()) for name in ("ann", "bo"))
    await ann.tend()
    await bo.tend()
    world.now += VALID_SECONDS
    assert (ann.held, await bo.tend()) == (False, False)
    world.now += TAKEOVER_SECONDS - VALID_SECONDS
    assert await bo.tend()
    assert (await ann.tend(), bo.held, bo.term) == (False, True, 2)


async def test_a_process_that_never_saw_the_lease_waits_its_time_from_when_it_first_sees_it(
    world: World, store: MemoryStore
) -> None:
    await Lease(store, "timers", "ann", world.clock()).tend()
    world.now += 1000
    bo = Lease(store, "timers", "bo", world.clock())
    assert not await bo.tend()
    world.now += TAKEOVER_SECONDS
    assert await bo.tend()


async def test_the_time_of_a_renewal_runs_from_its_start_not_from_its_answer(world: World, store: MemoryStore) -> None:
    ann = Lease(SlowNotes(store, world, 11.0), "timers", "ann", world.clock())
    await ann.tend()  # reads for 11 s, then writes for 11 s
    assert ann.held
    world.now += 1.0
    assert not ann.held


async def test_a_renewal_whose_answer_was_lost_does_not_prolong_the_lease(world: World, store: MemoryStore) -> None:
    notes = UnreliableNotes(store)
    ann = Lease(notes, "timers", "ann", world.clock())
    await ann.tend()
    world.now += 10.0
    notes.fault = "after"
    with pytest.raises(Unavailable):
        await ann.tend()
    assert ann.held
    world.now += 2.0
    assert not ann.held
    assert await ann.tend()  # it reads its own note, and renews it
    assert ann.term == 1


async def test_a_released_lease_is_free_at_once_and_hands_over_what_was_left(world: World, store: MemoryStore) -> None:
    ann, bo = (Lease(store, "timers", name, world.clock()) for name in ("ann", "bo"))
    await ann.tend()
    assert not await bo.tend()
    ann.leaving = "breaker open"
    await ann.release()
    assert (ann.held, await bo.tend(), bo.inherited, bo.term) == (False, True, "breaker open", 2)


async def test_a_text_that_is_set_during_a_renewal_is_written_by_the_next_one(world: World, store: MemoryStore) -> None:
    notes = PausingNotes(store)
    ann, bo = Lease(notes, "timers", "ann", world.clock()), Lease(store, "timers", "bo", world.clock())
    await ann.tend()
    ann.leaving = "1"
    notes.yields = [1, 1]
    renewal = asyncio.create_task(ann.tend())
    await asyncio.sleep(0)
    ann.leaving = "2"
    await renewal
    assert (ann.leaving, ann.inherited) == ("2", "")
    await ann.tend()
    await bo.tend()
    assert bo.inherited == "2"


async def test_a_holder_passes_on_what_it_inherited_until_it_leaves_something_else(
    world: World, store: MemoryStore
) -> None:
    ann, bo = (Lease(store, "timers", name, world.clock()) for name in ("ann", "bo"))
    await ann.tend()
    ann.leaving = "of ann"
    await ann.release()
    await bo.tend()
    await bo.tend()
    await bo.release()
    await ann.tend()
    assert (ann.inherited, ann.leaving) == ("of ann", "of ann")
    ann.leaving = "of ann, later"
    await ann.release()
    await bo.tend()
    bo.leaving = "of bo"
    await bo.release()
    await ann.tend()
    await ann.tend()
    await ann.release()
    await bo.tend()
    assert bo.inherited == "of bo"


async def test_a_lease_that_is_released_during_a_renewal_is_not_held_afterwards(
    world: World, store: MemoryStore
) -> None:
    notes = PausingNotes(store)
    ann, bo = Lease(notes, "timers", "ann", world.clock()), Lease(store, "timers", "bo", world.clock())
    await ann.tend()
    notes.yields = [0, 3]
    renewal = asyncio.create_task(ann.tend())
    await asyncio.sleep(0)
    await ann.release()
    await renewal
    assert (ann.held, await bo.tend(), ann.held) == (False, True, False)


async def test_a_former_process_of_the_same_host_is_another_holder(world: World, store: MemoryStore) -> None:
    await Lease(store, "timers", "start 1", world.clock()).tend()
    assert not await Lease(store, "timers", "start 2", world.clock()).tend()
    assert await Lease(store, "timers", "start 3", world.clock(), sole=True).tend()


async def test_a_paused_holder_cannot_write_at_the_version_that_its_successor_moved(
    world: World, store: MemoryStore
) -> None:
    ann, bo = (Lease(store, "timers", name, world.clock()) for name in ("ann", "bo"))
    await store.replace_note("work", b"1", None)
    await ann.tend()
    await bo.tend()
    read = await store.note("work")
    assert ann.held  # looked, and then paused before acting
    world.now += TAKEOVER_SECONDS
    await bo.tend()
    assert await store.replace_note("work", b"2 by bo", read)
    assert not await store.replace_note("work", b"2 by ann", read)


RATES = (0.92, 1.0, 1.1)  # clocks that run up to a fifth apart
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["tend", "tend", "tend", "tend", "release", "restart"]),
        st.sampled_from([None, None, None, "before", "after"]),
        st.floats(0, 9),
    ),
    max_size=80,
)


@given(STEPS)
@settings(deadline=None)
async def test_two_processes_never_hold_it_at_once_and_terms_never_go_back(
    steps: list[tuple[int, str, str | None, float]],
) -> None:
    world, store = World(), MemoryStore()
    notes = [UnreliableNotes(store) for _ in RATES]
    clocks = [world.clock(rate, 1000.0 * n) for n, rate in enumerate(RATES)]
    leases = [Lease(notes[n], "timers", f"start {n}", clocks[n]) for n in range(len(RATES))]
    term = 0
    for count, (n, act, fault, seconds) in enumerate(steps):
        notes[n].fault = fault
        try:
            if act == "tend":
                await leases[n].tend()
            elif act == "release":
                await leases[n].release()
            else:
                leases[n] = Lease(notes[n], "timers", f"start {n}.{count}", clocks[n])
        except Unavailable:
            pass
        notes[n].fault = None
        for moment in (0.0, seconds):
            world.now += moment
            holders = [lease.term for lease in leases if lease.held]
            assert len(holders) <= 1
            if holders:
                assert holders[0] >= term
                term = holders[0]


class OverlappingCalls:
    """A process whose calls of one lease overlap, and what must be true of the lease at any moment."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.calls: list[asyncio.Task[None]] = []
        self._started = 0  # calls
        self._released_by = 0  # the number of the last call, if it was a release that has ended
        self._left = (-1, "")  # the text that was set last, with its term

    def start(self, act: str) -> None:
        self._started += 1
        self.calls.append(asyncio.create_task(self._call(act, self._started)))

    def leave(self, text: str) -> None:
        if self.lease.held:
            self.lease.leaving, self._left = text, (self.lease.term, text)

    def check(self) -> None:
        if self._released_by == self._started > 0:
            assert not self.lease.held
        if self._left[0] == self.lease.term:
            assert self.lease.leaving == self._left[1]

    async def _call(self, act: str, number: int) -> None:
        if act == "tend":
            await self.lease.tend()
        else:
            await self.lease.release()
            self._released_by = max(self._released_by, number)


OVERLAPPING = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(["tend", "tend", "release", "leave"]), st.integers(0, 4), st.floats(0, 9)
    ),
    max_size=40,
)


@given(OVERLAPPING, st.lists(st.integers(0, 4), max_size=80))
@settings(deadline=None)
async def test_overlapping_calls_keep_one_holder_and_what_was_left_and_a_release_holds(
    steps: list[tuple[int, str, int, float]], yields: list[int]
) -> None:
    world, store = World(), MemoryStore()
    notes = PausingNotes(store)
    notes.yields = yields
    processes = [OverlappingCalls(Lease(notes, "timers", name, world.clock())) for name in ("ann", "bo")]

    def check() -> None:
        assert sum(process.lease.held for process in processes) <= 1
        for process in processes:
            process.check()

    for count, (n, act, pauses, seconds) in enumerate(steps):
        if act == "leave":
            processes[n].leave(str(count))
        else:
            processes[n].start(act)
        for _ in range(pauses):
            await asyncio.sleep(0)
            check()
        world.now += seconds
        check()
    await asyncio.gather(*[call for process in processes for call in process.calls])
    check()
