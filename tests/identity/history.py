"""Histories: random batches of operations, played on a simulation; one that fails is shortened as far as possible."""

from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from tests.identity.simulation import Session, Simulation

SESSIONS: list[Session] = [("trust", "a"), ("trust", "b"), ("link", "c"), ("trust", "d"), ("link", "e")]
KEYS = [{"email": "x"}, {"email": "y"}, {"phone": "x"}, {"email": "x", "phone": "y"}]
BATCHES = 8


class Operation(NamedTuple):
    """One operation: its name, the session in which it is done, and its argument."""

    what: str
    session: Session
    more: Any = None


class Batch(NamedTuple):
    """One operation of a worker; or several that run concurrently, interleaved by a seed."""

    operations: tuple[Operation, ...]
    worker: int = 0
    seed: int = 0


History = tuple[Batch, ...]

OPERATIONS: dict[str, Callable[[Random], Any]] = {
    "track": lambda chance: chance.randint(1, 9),
    "identify": lambda chance: chance.choice(KEYS),
    "alias": lambda chance: chance.choice(SESSIONS),
    "unmerge": lambda chance: chance.randrange(100),
    "forget": lambda _chance: None,
}
AT_ONCE = "at once"


def random_history(chance: Random) -> History:
    """Return a random history. It leaves some operations out, so that the others coincide more often."""
    kinds = [*OPERATIONS, AT_ONCE]
    some = chance.sample(kinds, chance.randint(2, len(kinds)))
    return tuple(_batch(chance, chance.choice(some)) for _ in range(BATCHES))


async def play(simulation: Simulation, history: History) -> None:
    """Play a history, and compare the outcome with the model."""
    for operations, worker, seed in history:
        doings = [_doing(simulation, operation) for operation in operations]
        if len(doings) == 1:
            await simulation.do(worker, doings[0])
        else:
            await simulation.at_once(doings, seed)
    await simulation.check()


async def shortest(history: History, fails: Callable[[History], Awaitable[bool]]) -> History:
    """Return a failing history without the batches and operations that its failure does not need."""
    for shorter in _shorter(history):
        if await fails(shorter):
            return await shortest(shorter, fails)
    return history


def _batch(chance: Random, kind: str) -> Batch:
    if kind != AT_ONCE:
        return Batch((_operation(chance, kind),), worker=chance.randrange(3))
    operations = [_operation(chance, chance.choice([*OPERATIONS])) for _ in range(chance.randint(2, 3))]
    return Batch(tuple(operations), seed=chance.randrange(100))


def _operation(chance: Random, what: str) -> Operation:
    return Operation(what, chance.choice(SESSIONS), OPERATIONS[what](chance))


def _shorter(history: History) -> Iterator[History]:
    for at, batch in enumerate(history):
        before, after = history[:at], history[at + 1 :]
        yield (*before, *after)
        for left_out in batch.operations if len(batch.operations) > 1 else ():
            operations = tuple(operation for operation in batch.operations if operation is not left_out)
            yield (*before, batch._replace(operations=operations), *after)


def _doing(simulation: Simulation, operation: Operation) -> Any:
    what, session, more = operation
    match what:
        case "track":
            return simulation.track(session, more)
        case "identify":
            return simulation.identify(session, **more)
        case "alias":
            return simulation.alias(session, more)
        case "forget":
            return simulation.forget(simulation.id_of(session))
    links = list(simulation.model.links)
    return simulation.unmerge(links[more % len(links)]) if links else simulation.track(session, 1)
