"""Histories of identities: whatever is done, by whichever worker, and at the same time, fits a simple model.

`HEADRACE_HISTORIES` is how many are tried on each store, in place of the usual number.
"""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from engine.tracking.ports import Store
from storage.elasticsearch.store import ElasticsearchStore
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.identity.world import Session, World
from tests.storage.cluster import dropped

SESSIONS: list[Session] = [("trust", "a"), ("trust", "b"), ("link", "c"), ("trust", "d"), ("link", "e")]
SECRET = b"the same for all histories, so that they can be tried again"
STEPS = 8

who = st.sampled_from(SESSIONS)
workers = st.integers(0, 2)
amounts = st.integers(1, 9)
keys = st.sampled_from([{"email": "x"}, {"email": "y"}, {"phone": "x"}, {"email": "x", "phone": "y"}])
picks = st.integers(0, 99)
things = st.one_of(
    st.tuples(st.just("track"), who, amounts),
    st.tuples(st.just("identify"), who, keys),
    st.tuples(st.just("alias"), who, who),
    st.tuples(st.just("unmerge"), who, picks),
    st.tuples(st.just("forget"), who, picks),
)


def doing(world: World, what: str, session: Session, more: Any) -> Any:
    """One of the things that can be done."""
    match what:
        case "track":
            return world.track(session, more)
        case "identify":
            return world.identify(session, **more)
        case "alias":
            return world.alias(session, more)
        case "forget":
            return world.forget(world.id_of(session))
    steps = list(world.model.steps)
    return world.unmerge(steps[more % len(steps)]) if steps else world.track(session, 1)


def machine(
    stores: Callable[[], Sequence[Store]],
    loop: asyncio.AbstractEventLoop,
    names: Iterator[str],
    forget_every: int = 1,
    **more: bool,
) -> type[Any]:
    """The state machine over a store; each history has names of its own, some of them forget."""
    begun: list[str] = []

    class Histories(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            begun.append(next(names))
            self.world = World(stores(), SECRET, begun[-1], forgets=not len(begun) % forget_every, **more)

        def doing(self, what: str, session: Session, more: Any) -> Any:
            return doing(self.world, what, session, more)

        @rule(worker=workers, session=who, by=amounts)
        def track(self, worker: int, session: Session, by: int) -> None:
            loop.run_until_complete(self.world.do(worker, self.world.track(session, by)))

        @rule(worker=workers, session=who, keys=keys)
        def identify(self, worker: int, session: Session, keys: dict[str, str]) -> None:
            loop.run_until_complete(self.world.do(worker, self.world.identify(session, **keys)))

        @rule(worker=workers, session=who, other=who)
        def alias(self, worker: int, session: Session, other: Session) -> None:
            loop.run_until_complete(self.world.do(worker, self.world.alias(session, other)))

        @rule(worker=workers, pick=picks)
        def unmerge(self, worker: int, pick: int) -> None:
            loop.run_until_complete(self.world.do(worker, self.doing("unmerge", SESSIONS[0], pick)))

        @rule(worker=workers, session=who)
        def forget(self, worker: int, session: Session) -> None:
            loop.run_until_complete(self.world.do(worker, self.doing("forget", session, 0)))

        @rule(things=st.lists(things, min_size=2, max_size=3), seed=picks)
        def at_once(self, things: list[Any], seed: int) -> None:
            loop.run_until_complete(self.world.at_once([self.doing(*thing) for thing in things], seed))

        def teardown(self) -> None:
            loop.run_until_complete(self.world.check())

    return Histories


def tried(histories: int) -> settings:
    return settings(
        max_examples=int(os.environ.get("HEADRACE_HISTORIES", histories)),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def fresh_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.close()


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is one."""
    shared = Path("/dev/shm")  # noqa: S108
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=shared) as directory:
        yield Path(directory)


SOAK = pytest.mark.soak


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [10_000, pytest.param(100_000, marks=SOAK)])
def test_on_memory(histories: int) -> None:
    with fresh_loop() as loop:
        run_state_machine_as_test(machine(lambda: [MemoryStore()], loop, repeat("h")), settings=tried(histories))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [1_000, pytest.param(10_000, marks=SOAK)])
def test_on_sqlite(quick: Path, histories: int) -> None:
    with fresh_loop() as loop:
        played(loop, [SqliteStore.open(quick / "store.db") for _ in range(2)], histories)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [500, pytest.param(5_000, marks=SOAK)])
def test_on_elasticsearch(elasticsearch_url: str, histories: int) -> None:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    with fresh_loop() as loop:
        try:
            stores = [ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}") for _ in range(2)]
            # Forgetting searches nine indices, again and again, and each search wants a refresh.
            played(loop, stores, histories, forget_every=6, claims_stand=True)
        finally:
            loop.run_until_complete(dropped(elasticsearch_url, prefix))


def played(
    loop: asyncio.AbstractEventLoop, stores: Sequence[Store], histories: int, forget_every: int = 1, **more: bool
) -> None:
    """Histories on stores that are views of one; their names keep them apart."""
    names = (f"h{number}" for number in count())
    try:
        machines = machine(lambda: stores, loop, names, forget_every, **more)
        run_state_machine_as_test(machines, settings=tried(histories))
    finally:
        for store in stores:
            loop.run_until_complete(store.close())
