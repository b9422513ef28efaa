"""Histories of waits: random operations of a few sessions, some of which crash; one that fails is shortened."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from tests.identity.interleaving import Crash
from tests.waits.model import LASTS, Policy
from tests.waits.world import BETWEEN, World

OPERATIONS = 14
CRASHES = 0.2  # of all operations
POLICIES: tuple[Policy, ...] = ("restart", "ignore", "parallel")


class Operation(NamedTuple):
    """One operation of a session, by one of two processes. `crash` is the request to the store at which it ends.

    A crash after the request is one with a negative number; 0 is none.
    """

    what: str
    session: str
    more: Any = None
    worker: int = 0
    crash: int = 0


class History(NamedTuple):
    """The operations, in a project whose flows do so `while_waiting`."""

    policy: Policy
    operations: tuple[Operation, ...]


MORE: dict[str, Callable[[Random], Any]] = {
    "start": lambda chance: chance.choice([*LASTS]),
    "buy": lambda _chance: None,
    "login": lambda chance: chance.choice("xxy"),
    "undo": lambda chance: chance.randrange(9),
    "forget": lambda _chance: None,
    "advance": lambda chance: chance.choice([1_000, 9_500, 20_000, 61_000]),
}
WEIGHTS = {"start": 5, "buy": 2, "login": 3, "undo": 1.5, "forget": 0.4, "advance": 3}


def random_history(chance: Random) -> History:
    """Return a random history."""
    sessions = "abc"[: chance.randint(1, 3)]
    count = chance.randint(3, OPERATIONS)
    whats = chance.choices([*WEIGHTS], [*WEIGHTS.values()], k=count)
    return History(chance.choice(POLICIES), tuple([_operation(chance, what, sessions) for what in whats]))


def _operation(chance: Random, what: str, sessions: str) -> Operation:
    crash = chance.choice([-1, 1]) * chance.randint(1, 8) if chance.random() < CRASHES else 0
    return Operation(what, chance.choice(sessions), MORE[what](chance), chance.randrange(2), crash)


async def play(world: World, history: History) -> None:
    """Play a history. Raises `AssertionError` where something differs from the model."""
    try:
        for operation in history.operations:
            world.clock.advance(BETWEEN)
            crash = Crash(abs(operation.crash), operation.crash < 0) if operation.crash else None
            await getattr(world, operation.what)(operation.worker, crash, operation.session, operation.more)
            await world.check()
        await world.check_end()
    finally:
        for process in world.processes:
            await process.resuming.close()


async def shortest(begin: Callable[[History], World], history: History) -> tuple[History, Exception]:
    """Return the shortest part of a failing history that still fails, and how."""
    error = await wrong(begin, history)
    assert error is not None
    shorter = True
    while shorter:
        shorter = False
        for n in range(len(history.operations)):
            less = history._replace(operations=history.operations[:n] + history.operations[n + 1 :])
            if (found := await wrong(begin, less)) is not None:
                history, error, shorter = less, found, True
                break
    return history, error


async def wrong(begin: Callable[[History], World], history: History) -> Exception | None:
    """Play a history in a world of its own. Returns how it fails, if it does."""
    try:
        await play(begin(history), history)
    except Exception as error:  # noqa: BLE001  # reported once the history is as short as possible
        return error
    return None
