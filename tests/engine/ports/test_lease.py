"""A lease in any history of processes that renew, pause, lose answers and follow clocks of their own."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ports.lease import RENEW_SECONDS, TAKEOVER_SECONDS, VALID_SECONDS, Lease, LeaseNotes
from engine.ports.store import Unavailable
from storage.memory import MemoryStore

Ticks = Callable[[], float]


class World:
    """True time, which nobody sees but the test; processes see it through clocks of their own."""

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
    ann.left = "breaker open"
    await ann.release()
    assert (ann.held, await bo.tend(), bo.left, bo.term) == (False, True, "breaker open", 2)


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
