"""Schedules on Elasticsearch, with two processes: a firing is one document that commits all of it."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from engine.ports.store import Store
from storage.elasticsearch.store import ElasticsearchStore
from tests.engine.tracking.schedules.process import COUNTING, MINUTE, SECOND, Process, started
from tests.engine.tracking.schedules.python_scripts import PythonScripts
from tests.engine.tracking.schedules.test_fan_out import PROJECT as GREETING
from tests.engine.tracking.schedules.test_fan_out import greeted, join
from tests.engine.tracking.schedules.test_script_firing import order, stored, storing, with_task
from tests.identity.test_histories import dropped
from tests.projects import project

START = 1_767_225_600_000
TRIES = 60  # of what a search finds only after a refresh
PAUSE = 0.25  # seconds


@pytest.fixture
async def stores(elasticsearch_url: str) -> AsyncIterator[list[Store]]:
    """Two processes' ways to one store."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    opened: list[Store] = [ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}") for _ in range(2)]
    await opened[0].migrate()
    yield opened
    for store in opened:
        await store.close()
    await dropped(elasticsearch_url, prefix)


async def fire_both(processes: list[Process], last: int, task: str) -> None:
    """Let both look for what is due, side by side, until the task has been fired for `last` or a later time."""
    for _ in range(TRIES):
        await asyncio.gather(*[process.turn() for process in processes])
        if ((await processes[0].task(task)).last or 0) >= last:
            return
        await asyncio.sleep(PAUSE)
    pytest.fail("it was not fired")


async def test_of_two_processes_one_fires_each_due_time(stores: list[Store]) -> None:
    processes = [await started(project(COUNTING), store, f"p{i}", START) for i, store in enumerate(stores)]
    for round in range(1, 4):
        for process in processes:
            process.clock.set(START + round * 10 * MINUTE)
        await fire_both(processes, START + round * 10 * MINUTE, "counting")
    task = await processes[0].task()
    assert (task.state, [record.missed for record in task.log]) == ({"count": 3}, [0, 0, 0])
    for _ in range(TRIES):
        if len(emitted := await processes[1].emitted()) >= 3:
            break
        await asyncio.sleep(PAUSE)
    assert [each["count"] for each in emitted] == [1, 2, 3]


async def test_a_segment_is_fired_for_by_both_and_each_member_has_it_once(stores: list[Store]) -> None:
    processes = [await started(GREETING, store, f"p{i}", START) for i, store in enumerate(stores)]
    names = [f"p{i}" for i in range(5)]
    for name in names:
        await join(processes[0], name)
    await asyncio.sleep(6)  # as a firing does: by then every search finds the members
    for process in processes:
        process.clock.set(START + 10 * MINUTE + 10 * SECOND)
    await fire_both(processes, START + 10 * MINUTE, "greeting")
    for _ in range(TRIES):
        if len(found := await greeted(processes[1])) >= len(names):
            break
        await asyncio.sleep(PAUSE)
    assert found == names


async def test_a_task_stores_its_events_once_and_keeps_its_cursor(stores: list[Store]) -> None:
    runner = PythonScripts(storing(*[order(number) for number in (1, 2, 3)], cursor=3))
    processes = [Process(with_task(), store, f"p{i}", START, runner=runner) for i, store in enumerate(stores)]
    for process in processes:
        await process.start()
        process.clock.set(START + 10 * MINUTE)
    await fire_both(processes, START + 10 * MINUTE, "pull")
    task = await processes[1].task("pull")
    assert (task.state, [record.events for record in task.log]) == ({"cursor": 3}, [3])
    for _ in range(TRIES):
        if len(found := await stored(stores[1])) >= 3:
            break
        await asyncio.sleep(PAUSE)
    assert found == [1, 2, 3]
