"""The search for due deliveries: one answers for all queues of a process as long as few are due."""

import asyncio

import pytest

from cli.testing.virtual_clock import VirtualClock
from effects.virtual_time_loop import VirtualTimeLoop
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import queue_of
from engine.ports.records import RecordWrite, Unit
from engine.ports.store import Unavailable
from engine.sending.due_search import FEW, FRESH_SECONDS, PAGE, DueSearch
from storage.memory import MemoryStore
from tests.engine.sending.samples import NOW, sample

QUEUES = [queue_of(f"t{n}") for n in range(20)]


class CountingStore(MemoryStore):
    """Notes the queue of each search, None for all of them; `away` lets searches fail."""

    def __init__(self) -> None:
        super().__init__()
        self.searched: list[str | None] = []
        self.away = False

    async def due_records(self, kind, before, limit, queue=None):
        self.searched.append(queue)
        await asyncio.sleep(0.01)
        if self.away:
            raise Unavailable("the store is away")
        return await super().due_records(kind, before, limit, queue)

    async def write(self, count: int, queue: str) -> None:
        made = [sample(f"{queue}-{n}", queue=queue) for n in range(count)]
        await self.commit(Unit(changes=tuple([RecordWrite(DELIVERIES, each, 0) for each in made])))


@pytest.mark.parametrize(
    ("due", "shared", "searched"),
    [
        (FEW - 1, True, [None]),
        (FEW, True, [None, *QUEUES]),
        (FEW - 1, False, QUEUES),
    ],
)
def test_a_search_of_all_queues_answers_for_each_if_few_are_due(
    due: int, shared: bool, searched: list[str | None]
) -> None:
    async def story() -> None:
        store = CountingStore()
        await store.write(due, QUEUES[3])
        await store.write(0, QUEUES[4])
        search = DueSearch(store, VirtualClock(NOW), shared=shared)
        found = await asyncio.gather(*[search.due(queue) for queue in QUEUES])
        assert [len(each) for each in found] == [due if queue == QUEUES[3] else 0 for queue in QUEUES]
        assert store.searched == searched

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())


def test_what_was_found_is_asked_again_after_a_moment_and_a_failure_is_one_of_all_queues() -> None:
    async def story() -> None:
        store = CountingStore()
        search = DueSearch(store, VirtualClock(NOW), shared=True)
        assert await search.due(QUEUES[0]) == []
        store.away = True
        await asyncio.sleep(FRESH_SECONDS)
        failed = await asyncio.gather(*[search.due(queue) for queue in QUEUES], return_exceptions=True)
        assert {type(each) for each in failed} == {Unavailable}
        store.away = False
        await store.write(2, QUEUES[0])
        await asyncio.sleep(FRESH_SECONDS)
        assert len(await search.due(QUEUES[0])) == 2
        assert store.searched == [None, None, None]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())


def test_a_page_of_one_queue_is_larger_than_that_of_all() -> None:
    assert FEW < PAGE
