"""Tasks: each run stores its events and then what it keeps, and a run that is repeated counts once."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from engine.flow.schedule import Schedule
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Unit
from engine.ports.script import ScriptFailed, ScriptLine, ScriptTimedOut, ScriptWorld
from engine.ports.store import Store, Unavailable
from engine.ports.task import Task
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.project import Project, Settings
from engine.project.script import Script
from engine.project.script_task import ScriptTask
from engine.project.secret import Secret
from engine.project.source import Source
from engine.search.parse import parse
from engine.tracking.schedules.script_world import MAX_EVENTS
from storage.memory import MemoryStore
from tests.engine.tracking.schedules.process import MINUTE, Process
from tests.engine.tracking.schedules.python_scripts import PythonScripts
from tests.engine.tracking.unavailable_store import AwayStore
from tests.projects import USERS, project

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z: a full ten minutes
SOURCE = Source(source="crm", accepts=("import",), schema="none")
PULL = ScriptTask(
    name="pull",
    source="crm",
    script=Script(file="tasks/pull.js", text="", params={"key": Secret("sesame")}),
    schedule=Schedule(every_ms=10 * MINUTE, deadline_ms=120_000),
)
COUNT = """
    flow: count
    trigger: {event: order}
    nodes: {add: {profile.increment: {traits.orders: 1}}}
"""


def with_task(task: ScriptTask = PULL, source: Source = SOURCE, settings: Settings = USERS) -> Project:
    made = project(COUNT, sources=(source,), settings=settings)
    return structs.replace(made, tasks={task.name: task})


async def started(
    store: Store, main: Any, holder: str = "a", now: int = START, made: Project | None = None, log: tuple[str, ...] = ()
) -> Process:
    process = Process(made or with_task(), store, holder, now, runner=PythonScripts(main, log))
    await process.start()
    return process


def order(number: int, **more: Any) -> dict[str, Any]:
    return {"collection": "order", "properties": {"number": number, "_user": "jo", **more}}


def storing(*events: dict[str, Any], cursor: Any = None) -> Callable[[Any, ScriptWorld], Awaitable[None]]:
    async def main(params: Any, world: ScriptWorld) -> None:
        await world.store_events(events)
        if cursor is not None:
            await world.keep("cursor", cursor)

    return main


async def found(store: Store, kind: str, text: str) -> list[Any]:
    page = await store.search(parse(text, SEARCHABLE[kind], START), 100)
    return list(page.items)


async def stored(store: Store) -> list[int]:
    """The numbers of the orders that are stored."""
    return sorted([event.properties["number"] for event in await found(store, "events", "type:order")])


async def orders_of_jo(store: Store) -> int:
    (jo,) = await found(store, "profiles", "traits.customer:jo")
    orders: int = profile_view(jo, fold(jo))["traits"]["orders"]
    return orders


async def pulled(process: Process) -> Task:
    return await process.task("pull")


async def test_a_run_stores_events_of_persons_and_what_it_keeps(store: Store) -> None:
    process = await started(store, storing(order(1), order(2, _time="2025-12-31T12:00:00Z"), cursor=2))
    assert await process.turn(10 * MINUTE) == 1
    task = await pulled(process)
    assert (task.state, task.last, task.next) == ({"cursor": 2}, START + 10 * MINUTE, START + 20 * MINUTE)
    (record,) = task.log
    assert (record.outcome, record.events, record.rejected, record.reason) == ("finished", 2, 0, "")
    assert await stored(store) == [1, 2]
    assert await orders_of_jo(store) == 2


async def test_the_next_run_sees_what_the_one_before_has_kept(store: Store) -> None:
    seen: list[Any] = []

    async def main(params: Any, world: ScriptWorld) -> None:
        seen.append(await world.state("cursor"))
        await world.keep("cursor", len(seen))
        await world.keep("first", len(seen), only_new=True)

    process = await started(store, main)
    for _ in range(3):
        await process.turn(10 * MINUTE)
    assert seen == [None, 1, 2]
    assert (await pulled(process)).state == {"cursor": 3, "first": 1}


async def test_a_script_gets_its_params_and_its_deadline(store: Store) -> None:
    seen: list[Any] = []

    async def main(params: Any, world: ScriptWorld) -> None:
        seen.append(params)

    runner = PythonScripts(main)
    process = Process(with_task(), store, "a", START, runner=runner)
    await process.start()
    await process.turn(10 * MINUTE)
    assert (seen, runner.limits) == ([{"key": "sesame"}], [120_000])


@pytest.mark.parametrize("kind", [ScriptFailed, ScriptTimedOut])
async def test_a_run_that_fails_stores_nothing_and_is_tried_again_sooner_and_sooner_later(
    store: Store, kind: type[ScriptFailed]
) -> None:
    failing = True

    async def main(params: Any, world: ScriptWorld) -> None:
        await world.store_events([order(1)])
        await world.keep("cursor", 1)
        if failing:
            raise kind("the key sesame is wrong", (ScriptLine("warn", "asked with sesame"),))

    process = await started(store, main)
    await process.turn(10 * MINUTE)
    waits = []
    for _ in range(5):
        task = await pulled(process)
        assert task.next is not None
        waits.append((task.next - process.clock.now()) // MINUTE)
        assert await process.turn(task.next - process.clock.now()) == 1
    assert waits == [1, 2, 4, 3, 10]  # the fourth would come after the due time
    task = await pulled(process)
    assert (task.state, await stored(store)) == ({}, [])
    assert {(record.outcome, record.reason) for record in task.log} == {("failed", "the key *** is wrong")}
    assert task.log[0].lines == ("warn: asked with ***",)
    failing = False
    await process.turn(10 * MINUTE)
    task = await pulled(process)
    assert (task.log[0].outcome, task.state, len(await stored(store))) == ("finished", {"cursor": 1}, 1)


async def test_bad_events_are_rejected_alone_and_the_log_says_why(store: Store) -> None:
    bad: Any = ({"collection": 5}, "no object", {"collection": "order", "properties": {"_time": "yesterday"}})
    process = await started(store, storing(order(1), *bad, cursor=1))
    await process.turn(10 * MINUTE)
    (record,) = (await pulled(process)).log
    assert (record.outcome, record.events, record.rejected) == ("finished", 1, 3)
    assert record.reason == "event 1 was rejected: collection parameter must be a string"
    assert len(await store.rejected(10)) == 3


async def test_a_run_stores_ten_thousand_events_at_most(store: Store) -> None:
    async def main(params: Any, world: ScriptWorld) -> None:
        for _ in range(2):
            await world.store_events([order(number) for number in range(MAX_EVENTS // 2 + 1)])

    process = await started(store, main)
    await process.turn(10 * MINUTE)
    (record,) = (await pulled(process)).log
    assert "a run stores at most 10,000 events: keep a cursor" in record.reason
    assert await stored(store) == []


async def test_what_a_task_keeps_is_limited(store: Store) -> None:
    process = await started(store, storing(order(1), cursor="x" * 70_000))
    await process.turn(10 * MINUTE)
    (record,) = (await pulled(process)).log
    assert record.reason == "config would have 70,013 bytes as JSON: at most 65,536"


async def test_a_task_whose_source_is_disabled_runs_no_script(store: Store) -> None:
    made = with_task(source=structs.replace(SOURCE, enabled=False))
    process = await started(store, storing(order(1)), made=made)
    await process.turn(10 * MINUTE)
    assert (await pulled(process)).log[0].reason == "the source `crm` of the task is disabled, or not there"


async def test_the_log_has_the_last_lines_of_the_last_five_runs(store: Store) -> None:
    process = await started(store, storing(), log=(*[f"line {number}" for number in range(30)], "x" * 500))
    for _ in range(7):
        await process.turn(10 * MINUTE)
    log = (await pulled(process)).log
    assert [len(record.lines) for record in log] == [20] * 5 + [0] * 2
    assert (log[0].lines[0], len(log[0].lines[-1])) == ("info: line 11", 200)


# ---- identity --------------------------------------------------------------------------------------------------------


async def test_users_of_a_task_are_proven_unless_its_source_refuses(store: Store) -> None:
    process = await started(store, storing(order(1)), made=with_task(source=structs.replace(SOURCE, identify="refuse")))
    await process.turn(10 * MINUTE)
    (record,) = (await pulled(process)).log
    assert (record.events, record.rejected) == (0, 1)
    assert "identify: refuse" in record.reason


# ---- repeats ---------------------------------------------------------------------------------------------------------


class CutStore(AwayStore):
    """The store of a process that dies at the commit with a number: it, and all that follow, are not written."""

    def __init__(self, store: Store, dies_at: int) -> None:
        super().__init__(store)
        self.left = dies_at
        self.dead = asyncio.Event()

    async def commit(self, unit: Unit) -> None:
        if self.dead.is_set():
            raise Unavailable("the process is dead")
        self.left -= 1
        if self.left == 0:
            self.dead.set()
            await asyncio.Event().wait()
        await self.store.commit(unit)


@pytest.mark.parametrize("dies_at", range(1, 7))
async def test_a_process_that_dies_anywhere_in_a_firing_neither_loses_nor_doubles_an_event(dies_at: int) -> None:
    """When it runs again, the system of the shop has one order more, and names the newest first."""
    memory = MemoryStore()
    first = [order(number, _user=f"user-{number}") for number in (1, 2, 2, 3)]
    runs = itertools.count()

    async def main(params: Any, world: ScriptWorld) -> None:
        again = next(runs) > 0
        await world.store_events([order(4), *first[::-1]] if again else first)
        await world.keep("cursor", 4 if again else 3)

    heir = await started(memory, main, "heir")
    cut = CutStore(memory, dies_at)
    victim = Process(with_task(), cut, "victim", START + 10 * MINUTE, runner=PythonScripts(main))  # type: ignore[arg-type]
    await victim.tracker.start()
    await victim.scheduler.turn()
    settled = asyncio.create_task(victim.scheduler.settled())
    dead = asyncio.create_task(cut.dead.wait())
    await asyncio.wait([settled, dead], return_when="FIRST_COMPLETED")
    heir.clock.set(START + 10 * MINUTE)
    for _ in range(2):
        await heir.turn()
        heir.clock.advance(16_000)
    ran = next(runs)
    assert ran == (2 if cut.dead.is_set() and dies_at > 1 else 1)
    assert await stored(memory) == ([1, 2, 2, 3, 4] if ran == 2 else [1, 2, 2, 3])
    assert (await pulled(heir)).state == {"cursor": 4 if ran == 2 else 3}
    for each in (dead, settled):
        each.cancel()
    await victim.scheduler.close()


async def test_events_that_the_store_cannot_take_now_are_tried_again_without_a_second_run() -> None:
    away, runs = AwayStore(MemoryStore()), itertools.count()

    async def main(params: Any, world: ScriptWorld) -> None:
        next(runs)
        await world.store_events([order(1), order(2, _user="ann")])
        away.refused["order"] = Unavailable("it is away")
        asyncio.get_running_loop().call_later(0.05, away.refused.clear)

    process = await started(away, main)  # type: ignore[arg-type]
    await process.turn(10 * MINUTE)
    assert (next(runs), await stored(away.store)) == (1, [1, 2])
    assert (await pulled(process)).log[0].outcome == "finished"
