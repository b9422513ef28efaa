"""Histories: steps drawn by chance, played in a world; one that fails is made as short as it can be."""

from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from tests.identity.simulation import Session, Simulation

SESSIONS: list[Session] = [("trust", "a"), ("trust", "b"), ("link", "c"), ("trust", "d"), ("link", "e")]
KEYS = [{"email": "x"}, {"email": "y"}, {"phone": "x"}, {"email": "x", "phone": "y"}]
STEPS = 8


class Thing(NamedTuple):
    """One thing that is done: what, in which session, and what more there is to say."""

    what: str
    session: Session
    more: Any = None


class Step(NamedTuple):
    """One thing that a worker does; or several that are done at the same time, interleaved by a seed."""

    things: tuple[Thing, ...]
    worker: int = 0
    seed: int = 0


History = tuple[Step, ...]

THINGS: dict[str, Callable[[Random], Any]] = {
    "track": lambda chance: chance.randint(1, 9),
    "identify": lambda chance: chance.choice(KEYS),
    "alias": lambda chance: chance.choice(SESSIONS),
    "unmerge": lambda chance: chance.randrange(100),
    "forget": lambda _chance: None,
}
AT_ONCE = "at once"


def drawn(chance: Random) -> History:
    """A history. Some kinds of steps are left out of it, so that the others meet more often."""
    kinds = [*THINGS, AT_ONCE]
    some = chance.sample(kinds, chance.randint(2, len(kinds)))
    return tuple(_step(chance, chance.choice(some)) for _ in range(STEPS))


async def play(world: Simulation, history: History) -> None:
    """Do it all, and look whether it fits the model."""
    for things, worker, seed in history:
        doings = [_doing(world, thing) for thing in things]
        if len(doings) == 1:
            await world.do(worker, doings[0])
        else:
            await world.at_once(doings, seed)
    await world.check()


async def shortest(history: History, fails: Callable[[History], Awaitable[bool]]) -> History:
    """What is left of a history that fails, when all is left out without which it fails all the same."""
    for shorter in _shorter(history):
        if await fails(shorter):
            return await shortest(shorter, fails)
    return history


def _step(chance: Random, kind: str) -> Step:
    if kind != AT_ONCE:
        return Step((_thing(chance, kind),), worker=chance.randrange(3))
    things = [_thing(chance, chance.choice([*THINGS])) for _ in range(chance.randint(2, 3))]
    return Step(tuple(things), seed=chance.randrange(100))


def _thing(chance: Random, what: str) -> Thing:
    return Thing(what, chance.choice(SESSIONS), THINGS[what](chance))


def _shorter(history: History) -> Iterator[History]:
    for at, step in enumerate(history):
        before, after = history[:at], history[at + 1 :]
        yield (*before, *after)
        for left_out in step.things if len(step.things) > 1 else ():
            things = tuple(thing for thing in step.things if thing is not left_out)
            yield (*before, step._replace(things=things), *after)


def _doing(world: Simulation, thing: Thing) -> Any:
    what, session, more = thing
    match what:
        case "track":
            return world.track(session, more)
        case "identify":
            return world.identify(session, **more)
        case "alias":
            return world.alias(session, more)
        case "forget":
            return world.forget(world.id_of(session))
    steps = list(world.model.links)
    return world.unmerge(steps[more % len(steps)]) if steps else world.track(session, 1)
