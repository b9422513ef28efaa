"""Histories: random batches of operations, played on a simulation; one that fails is shortened as far as possible."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from random import Random
from typing import Any, NamedTuple

from tests.identity.flows import Sender
from tests.identity.interleaving import Crash
from tests.identity.model import Undo
from tests.identity.simulation import Doing, Simulation
from tests.identity.strangers import Her, compare, strangers_to

BATCHES = 7
THEFTS = 0.2  # of all histories
FEW_PER_KEY = 1  # where the limit is to be met


class Operation(NamedTuple):
    """One operation: its name, its sender, and its argument. If it crashes: at which request to the store.

    A crash after the request is one with a negative number.
    """

    what: str
    sender: Sender
    more: Any = None
    crash: int = 0


class Batch(NamedTuple):
    """One operation of a process; or several that run concurrently, interleaved by a seed."""

    operations: tuple[Operation, ...]
    worker: int = 0
    seed: int = 0


class History(NamedTuple):
    """The batches of a history, in a project that joins so many others by one key."""

    batches: tuple[Batch, ...]
    most_per_key: int = 99


class Cast(NamedTuple):
    """The senders of a history, the keys that they know, and those of them who can get user tokens."""

    senders: list[Sender]
    keys: list[dict[str, str]]
    with_tokens: list[Sender]


PAGES = [Sender("pages", name) for name in "abcd"]
TRUSTED = [Sender("app", "d"), Sender("server", "e")]
PAIRS = [Sender("pages", "", visitor, user) for visitor in "v" for user in ("", "1", "2")]
PAIRS += [Sender("app", "", visitor, user) for visitor in ("v", "w") for user in ("", "1", "2")]
PAIRS += [Sender("server", "", "", "1")]
CASTS: list[list[Sender]] = [PAGES, PAGES, [*PAGES, *TRUSTED], [*PAGES, *PAIRS], PAIRS]
KEYS: list[dict[str, str]] = [
    {"email": "x"},
    {"email": "x"},
    {"email": "y"},
    {"phone": "x"},
    {"email": "x", "phone": "y"},
    {"customer": "1"},
    {"customer": "2"},
]


def _identify(chance: Random, cast: Cast, sender: Sender) -> Any:
    keys = chance.choice(cast.keys)
    proves = sender in cast.with_tokens and chance.random() < 0.4
    return keys, tuple(name for name in keys if proves and chance.random() < 0.8)


OPERATIONS: dict[str, Callable[[Random, Cast, Sender], Any]] = {
    "track": lambda chance, _cast, _sender: chance.randint(-2, 9),
    "say": lambda chance, _cast, _sender: f"name-{chance.randrange(100)}",
    "conclude": lambda _chance, _cast, _sender: None,
    "identify": _identify,
    "alias": lambda chance, cast, _sender: chance.choice(cast.senders),
    "rename": lambda chance, _cast, _sender: chance.choice("12"),
    "hand_over": lambda chance, _cast, _sender: chance.choice("12"),
    "undo": lambda chance, _cast, _sender: chance.randrange(100),
    "forget": lambda _chance, _cast, _sender: None,
}
WEIGHTS = {
    "track": 2,
    "say": 1,
    "conclude": 1,
    "identify": 6,
    "alias": 1,
    "rename": 0.5,
    "hand_over": 1,
    "undo": 1,
    "forget": 0.5,
}


def random_history(chance: Random) -> History:
    """Return a random history. It leaves senders, keys and operations out, so that the others coincide more often."""
    if chance.random() < THEFTS:
        return random_theft(chance)
    senders = chance.choice(CASTS)
    senders = chance.sample(senders, min(len(senders), chance.randint(2, 4)))
    keys = chance.sample(KEYS, chance.randint(1, 3))
    cast = Cast(senders, keys, chance.sample(senders, chance.randint(0, len(senders) // 2)))
    some = ["identify", *chance.sample([*OPERATIONS], chance.randint(2, len(OPERATIONS)))]
    concurrent = chance.random() < 0.4
    batches = tuple(_batch(chance, cast, some, concurrent) for _ in range(chance.randint(3, BATCHES)))
    return History(batches, FEW_PER_KEY if chance.random() < 0.15 else 99)


def random_theft(chance: Random) -> History:
    """Return a history in which strangers claim a key of a visitor who claims it, too, and proves something later."""
    hers, *strangers = chance.sample(PAGES, chance.randint(2, 3))
    key, proven = chance.choice(KEYS), chance.choice(KEYS)
    cast = Cast([hers, *strangers], [key, proven], [hers])
    data = ["track", "track", "say", "conclude", "identify"]
    claims = [Operation("identify", sender, (key, ())) for sender in cast.senders]
    before = [*claims, *(_operation(chance, cast, data) for _ in range(chance.randint(1, 3)))]
    chance.shuffle(before)
    proof = Operation("identify", hers, (proven, tuple(proven)))
    after = [_operation(chance, cast, data) for _ in range(chance.randint(1, 3))]
    return History(tuple(Batch((each,), worker=chance.randrange(2)) for each in (*before, proof, *after)))


def size(history: History) -> int:
    """Return how many operations it has."""
    return sum(len(batch.operations) for batch in history.batches)


async def play(begin: Callable[[], Simulation], history: History) -> None:
    """Play a history, and compare the outcome with the model."""
    simulation = begin()
    at = 0
    simulation.answers = [None] * size(history)
    for operations, worker, seed in history.batches:
        alone = len(operations) == 1
        doings = [await _doing(simulation, at + n, operation, alone) for n, operation in enumerate(operations)]
        crashes = [_crash(operation) for operation in operations]
        at += len(operations)
        if len(doings) == 1:
            await simulation.do(worker, doings[0], crashes[0])
        else:
            await simulation.at_once(doings, crashes, seed)
    await simulation.check()
    check_as_before(simulation, history)
    for her in proven_visitors(simulation, history):
        await play_without(begin(), simulation, history, her)


def proven_visitors(simulation: Simulation, history: History) -> Iterator[Her]:
    """Yield each proven visitor with those who are strangers to her, where the order of all others is known."""
    operations = [operation for batch in history.batches for operation in batch.operations]
    senders = {each.sender for each in operations if each.what not in ("undo", "forget")}
    known = {each.sender for each in operations if each.what == "identify" and each.more[1]}
    known |= {each.more for each in operations if each.what == "alias" and each.sender.trusted}
    for her in strangers_to(simulation, senders, known):
        others = [
            [each for each in batch.operations if each.what in ("undo", "forget") or each.sender not in her.strangers]
            for batch in history.batches
        ]
        if all(len(some) < 2 for some in others):
            yield her


def check_as_before(simulation: Simulation, history: History) -> None:
    """Where everybody only claims keys, all senders that share one are one profile, whatever the order."""
    operations = [operation for batch in history.batches for operation in batch.operations]
    if history.most_per_key == FEW_PER_KEY or not all(map(_only_claims, operations)):
        return
    together: dict[Sender, set[Sender]] = {each.sender: {each.sender} for each in operations}
    brought = [(each.sender, key) for each in operations if each.what == "identify" for key in each.more[0].items()]
    for (sender, key), (other, same) in product(brought, brought):
        if key == same:
            joined = together[sender] | together[other]
            together.update(dict.fromkeys(joined, joined))
    for sender, group in together.items():
        expected = {simulation.id_of(each) for each in group}
        assert simulation.model.group(simulation.id_of(sender)) == expected, f"{sender} is not with all of {group}"


def _only_claims(operation: Operation) -> bool:
    if operation.what == "identify":
        keys, by_token = operation.more
        claims = "customer" not in keys and not by_token
    else:
        claims = operation.what in ("track", "say", "conclude")
    return claims and not operation.sender.trusted and not operation.sender.user


async def play_without(simulation: Simulation, whole: Simulation, history: History, her: Her) -> None:
    """Play a history again without strangers, at the same times; compare the answers to her and her profile."""
    at = 0
    simulation.answers = [None] * size(history)
    for operations, worker, _ in history.batches:
        for n, operation in enumerate(operations):
            if operation.what in ("undo", "forget") or operation.sender not in her.strangers:
                doing = await _doing_again(simulation, whole, at, operation, len(operations) == 1)
                await simulation.do(worker if len(operations) == 1 else n, doing, _crash(operation))
            else:
                simulation.skip()
            at += 1
    await compare(whole, simulation, her)


async def _doing_again(simulation: Simulation, whole: Simulation, at: int, operation: Operation, alone: bool) -> Doing:
    if operation.what == "undo":
        return simulation.undo_again(Undo(simulation.fact_as_in(whole, whole.undone[at].fact)))
    return await _doing(simulation, at, operation, alone)


async def shortest(history: History, fails: Callable[[History], Awaitable[bool]]) -> History:
    """Return a failing history without the batches, operations and crashes that its failure does not need."""
    for shorter in _shorter(history):
        if await fails(shorter):
            return await shortest(shorter, fails)
    return history


def _crash(operation: Operation) -> Crash | None:
    return Crash(abs(operation.crash), operation.crash < 0) if operation.crash else None


def _batch(chance: Random, cast: Cast, some: list[str], concurrent: bool) -> Batch:
    several = concurrent and chance.random() < 0.5
    operations = [_operation(chance, cast, some) for _ in range(chance.randint(2, 3) if several else 1)]
    return Batch(tuple(operations), worker=chance.randrange(2), seed=chance.randrange(100))


def _operation(chance: Random, cast: Cast, some: list[str]) -> Operation:
    (what,) = chance.choices(some, [WEIGHTS[name] for name in some])
    sender = chance.choice(cast.senders)
    crash = chance.choice((-1, 1)) * chance.randint(1, 8) if chance.random() < 0.1 else 0
    return Operation(what, sender, OPERATIONS[what](chance, cast, sender), crash)


def _shorter(history: History) -> Iterator[History]:
    batches = history.batches
    for at, batch in enumerate(batches):
        before, after = batches[:at], batches[at + 1 :]
        yield history._replace(batches=(*before, *after))
        for left_out in batch.operations if len(batch.operations) > 1 else ():
            operations = tuple(operation for operation in batch.operations if operation is not left_out)
            yield history._replace(batches=(*before, batch._replace(operations=operations), *after))
        for n, operation in enumerate(batch.operations):
            for simpler in _simpler(operation):
                operations = (*batch.operations[:n], simpler, *batch.operations[n + 1 :])
                yield history._replace(batches=(*before, batch._replace(operations=operations), *after))


def _simpler(operation: Operation) -> Iterator[Operation]:
    if operation.crash:
        yield operation._replace(crash=0)
    if operation.what == "identify":
        keys, by_token = operation.more
        if by_token:
            yield operation._replace(more=(keys, ()))
        for name in keys if len(keys) > 1 else ():
            yield operation._replace(more=({name: keys[name]}, by_token))


async def _doing(simulation: Simulation, at: int, operation: Operation, alone: bool) -> Doing:
    what, sender, more, _ = operation
    if what == "undo":
        return await simulation.undo(at, more)
    if what == "forget" and simulation.forgets:
        return simulation.forget(sender)
    if what == "forget":
        return simulation.track(at, sender, 1)
    if what == "hand_over" and alone and not (sender.visitor or sender.user):
        return await simulation.hand_over(at, sender, more)
    if what == "hand_over":
        return simulation.identify(at, sender, ({"customer": more}, ()))
    doing: Doing = getattr(simulation, what)(at, sender, more)
    return doing
