"""The leases of many queues in one process, tick by tick."""

from engine.ports.lease import Lease
from engine.ports.store import Unavailable
from engine.sending.leases import AT_ONCE, Leases
from storage.memory import MemoryStore


def no_failure(failure: Unavailable) -> None:
    raise failure


class Ticks:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def holding(count: int, ticks: Ticks, *, sole: bool = False) -> Leases:
    store = MemoryStore()
    leases = {f"q{n}": Lease(store, f"deliver/q{n}", "one", ticks, sole=sole) for n in range(count)}
    return Leases(leases, ticks, no_failure, sole=sole)


async def test_a_process_takes_few_leases_at_once_and_then_waits_a_second_for_each_that_it_holds() -> None:
    ticks = Ticks()
    leases = holding(AT_ONCE + 7, ticks)
    await leases.tick()
    assert len(leases.held) == 1, "it waits for the next one as soon as it holds one"
    for seconds, held in ((0.5, 1), (0.5, 2), (0.5, 2), (0.5, 3)):
        ticks.now += seconds
        await leases.tick()
        assert len(leases.held) == held
    ticks.now += 8
    await leases.tick()
    assert len(leases.held) == 3 + AT_ONCE


async def test_a_process_that_is_alone_takes_all_at_once() -> None:
    leases = holding(AT_ONCE + 3, Ticks(), sole=True)
    await leases.tick()
    assert len(leases.held) == AT_ONCE + 3
