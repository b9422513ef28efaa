"""After a commit has failed, the caches of this process hold nothing outdated: the next attempt reads the store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.ports.records import Unit
from engine.ports.store import Conflict, Store, Unavailable
from engine.tracking.pipeline.profile_queue import ProfileQueue, ProfileQueues
from engine.tracking.unit.cache import CachedProfile, ProfileCache
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.ledger import Counted, Ledger
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project
from tests.storage.build import profile, write

FLOWS = (
    """
    flow: count
    trigger: {event: hit}
    nodes:
      up: {profile.increment: {traits.hits: 1}}
    """,
    """
    flow: page
    trigger: {event: hit, when: event.properties.page is defined}
    nodes:
      visit: {session.set: {properties.page: "{{ event.properties.page }}"}}
    """,
    """
    flow: login
    trigger: {event: login}
    nodes:
      who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
    """,
)


class CountingStore:
    """Delegates to a store and counts the commits. `failures` are the outcomes of the next ones.

    None is a commit that is stored although its caller gets an error. `before` is done before the next commit.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.commits = 0
        self.failures: list[Exception | None] = []
        self.before: Callable[[], Awaitable[object]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, unit: Unit) -> None:
        self.commits += 1
        before, self.before = self.before, None
        if before is not None:
            await before()
        failure = self.failures.pop(0) if self.failures else self
        if isinstance(failure, Exception):
            raise failure
        await self._store.commit(unit)
        if failure is None:
            raise Unavailable("the connection broke before the answer came")


def hit(page: str) -> dict[str, Any]:
    return payload({"type": "hit", "properties": {"page": page}})


def login(session: str) -> dict[str, Any]:
    return payload({"type": "login", "properties": {"email": "ann@example.com"}}, session=session)


async def hits(collector: Collector) -> int:
    """How many hits the profile of the session `s-1` has counted."""
    session = await collector.store.session("shop", "s-1")
    assert session is not None
    return int((await collector.profile(session.profile or ""))["traits"]["hits"])


@pytest.fixture
def counting(store: Store) -> CountingStore:
    return CountingStore(store)


@pytest.fixture
async def collector(counting: CountingStore) -> Collector:
    """A collector that has the session and the profile of one hit in its cache."""
    collector = Collector(project(*FLOWS), counting)
    await collector.track(hit("/"))
    counting.commits = 0
    return collector


async def test_a_session_and_profile_that_another_process_changed_are_read_anew(
    store: Store, counting: CountingStore, collector: Collector
) -> None:
    await Collector(project(*FLOWS), store).track(hit("/other"))
    await collector.track(hit("/mine"))
    assert await hits(collector) == 3
    assert counting.commits == 2


async def test_a_merge_after_which_another_process_was_faster_is_made_with_the_newer_profile(
    store: Store, counting: CountingStore, collector: Collector
) -> None:
    other = Collector(project(*FLOWS), store)
    await other.track(login("laptop"))
    counting.before = lambda: other.track(hit("/other"))
    await collector.track(login("s-1"))
    assert await hits(collector) == 2
    assert counting.commits == 2


async def test_a_profile_that_was_stored_though_its_answer_was_lost_is_read_anew(
    counting: CountingStore, collector: Collector
) -> None:
    counting.failures.append(None)
    with pytest.raises(Unavailable):
        await collector.track(payload("hit"))
    counting.commits = 0
    await collector.track(payload("hit"))
    assert await hits(collector) == 3
    assert counting.commits == 1


class WatchedQueues(ProfileQueues):
    """Queues that set `waiting` when a unit has to wait for the commit of another one."""

    waiting: asyncio.Event

    def waiter(self) -> "asyncio.Future[None]":
        self.waiting.set()
        return super().waiter()


async def test_a_session_that_moved_is_read_anew_though_its_profile_is_cached_again_meanwhile() -> None:
    counting = CountingStore(MemoryStore())
    collector, other = Collector(project(*FLOWS), counting), Collector(project(*FLOWS), counting)
    queues = WatchedQueues(counting, collector.pipeline.cache, collector.pipeline.ledger)
    queues.waiting = asyncio.Event()
    collector.pipeline.queues = queues
    profile = (await collector.track(hit("/")))["profile"]
    second = payload("hit", session="s-2", profile=profile)
    await collector.track(second)
    counting.commits = 0
    behind: list[asyncio.Task[dict[str, Any]]] = []

    async def move() -> None:
        behind.append(asyncio.create_task(collector.track(hit("/mine"))))
        await queues.waiting.wait()
        await other.track(hit("/other"))

    counting.before = move
    await collector.track(second)  # it conflicts with the other process, and runs again before the one behind it
    await behind[0]
    assert await hits(collector) == 5
    assert counting.commits == 4, "the other process's commit, the one that conflicts, and one for each unit again"


# ---- the queue alone ------------------------------------------------------------------------------------------------


def composed(version: int) -> Composed:
    """A unit that writes the profile `ann` as this version."""
    unit = Unit(profiles=(write("ann", version - 1),))
    return Composed(unit, CachedProfile.of(profile("ann", version), {}), None, open_to_all=True, answered_id="ann")


class Failing(MemoryStore):
    """A store whose commits fail once `go` is set; `arrived` is set when one waits for that."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self._failure = failure
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()

    async def commit(self, unit: Unit) -> None:
        self.arrived.set()
        await self.go.wait()
        raise self._failure


FAILURES = [Conflict("profile", "ann"), Unavailable("it is away")]


def enqueue(queue: ProfileQueue, version: int) -> Awaitable[None]:
    """Enqueue a unit, as the holder; returns what waits for its commit."""
    return queue.wait_committed(queue.enqueue(composed(version), "ann", Counted()))


@pytest.mark.parametrize("failure", FAILURES, ids=["conflict", "unavailable"])
async def test_a_commit_that_fails_drops_the_cached_profile(failure: Exception) -> None:
    cache, store = ProfileCache(), Failing(failure)
    cache.keep(CachedProfile.of(profile("ann", 1), {}))
    store.go.set()
    async with ProfileQueues(store, cache, Ledger()).exclusive("ann") as queue:
        waiting = enqueue(queue, 2)
    with pytest.raises(type(failure)):
        await waiting
    assert cache.profile("ann") is None


@pytest.mark.parametrize("failure", FAILURES, ids=["conflict", "unavailable"])
async def test_a_unit_that_ran_on_state_whose_commit_failed_cannot_be_enqueued(failure: Exception) -> None:
    store = Failing(failure)
    queues = ProfileQueues(store, ProfileCache(), Ledger())
    async with queues.exclusive("ann") as queue:
        first = asyncio.ensure_future(enqueue(queue, 1))
    await store.arrived.wait()
    async with queues.exclusive("ann") as queue:
        assert queue.uncommitted is not None
        store.go.set()
        with pytest.raises(type(failure)):
            await first
        with pytest.raises(Conflict):
            queue.enqueue(composed(2), "ann", Counted())
    assert list(queues.active) == []
