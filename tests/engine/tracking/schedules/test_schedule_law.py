"""The law of schedules: each due time takes effect once, forwards, together with its cursor, whatever happens.

Processes over one store start, die in the middle of a write or of a run, lose answers, and take over from one another.
"""

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ports.kinds import TASKS
from engine.ports.records import Unit
from engine.ports.store import Unavailable
from engine.tracking.schedules.scheduler import Busy
from storage.memory import MemoryStore
from tests.engine.tracking.schedules.process import COUNTING, MINUTE, SECOND, Process
from tests.projects import project

START = 1_767_225_600_000
PROJECT = project(COUNTING)
PAUSES = [SECOND, 5 * SECOND, 16 * SECOND, 3 * MINUTE, 11 * MINUTE, 35 * MINUTE]
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from(PAUSES)),
        st.tuples(st.just("turn"), st.integers(0, 1)),
        st.tuples(st.just("both"), st.just(0)),
        st.tuples(st.just("lose"), st.integers(0, 3)),
        st.tuples(st.just("die"), st.integers(0, 3)),
        st.tuples(st.just("pause"), st.just(0)),
        st.tuples(st.just("resume"), st.just(0)),
        st.tuples(st.just("run"), st.integers(0, 1)),
    ),
    min_size=5,
    max_size=30,
)  # fmt: skip


class FailingStore:
    """A process's way to the store. `lose`: the commit with this number from now gets no answer, though it is made.

    `die`: from the commit with this number on, nothing reaches the store any more.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.lose: int | None = None
        self.die: int | None = None
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def call(*args: Any, **named: Any) -> Any:
            if self.dead:
                raise Unavailable("the process is dead")
            return await method(*args, **named)

        return call

    async def commit(self, unit: Unit) -> None:
        if self.die is not None:
            self.die -= 1
            self.dead = self.dead or self.die < 0
        if self.dead:
            raise Unavailable("the process is dead")
        await self.store.commit(unit)
        if self.lose is not None:
            self.lose -= 1
            if self.lose < 0:
                self.lose = None
                raise Unavailable("the answer was lost")


class World:
    """Two processes over one store; one that dies is followed by a new one."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.now = START
        self.count = 0
        self.processes: list[Process] = []

    async def new_process(self) -> Process:
        self.count += 1
        failing: Any = FailingStore(self.store)
        process = Process(PROJECT, failing, f"p{self.count}", self.now)
        process.pipeline.report = lambda failure: None
        await process.start()
        return process

    async def happen(self, event: tuple[str, int]) -> None:
        kind, number = event
        first = self.processes[0]
        match kind:
            case "pass":
                self.now += number
                for process in self.processes:
                    process.clock.advance(number)
            case "turn":
                await self.turn(self.processes[number])
            case "both":
                await asyncio.gather(*[self.turn(process) for process in self.processes])
            case "lose" | "die":
                setattr(first.store, kind, number)
            case "pause":
                await self.operate(first.scheduler.pause("counting"))
            case "resume":
                await self.operate(first.scheduler.resume("counting"))
            case "run":
                await self.run(self.processes[number])
        for i, process in enumerate(self.processes):
            if process.store.dead:  # type: ignore[attr-defined]
                await process.scheduler.close()
                self.processes[i] = await self.new_process()

    async def turn(self, process: Process) -> None:
        try:
            await process.turn()
        except Unavailable:
            await process.scheduler.settled()

    async def operate(self, work: Any) -> None:
        try:
            await work
        except Unavailable:
            return

    async def run(self, process: Process) -> None:
        try:
            await asyncio.wait([await process.scheduler.run_now("counting")])
        except (Busy, Unavailable):
            return


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_each_due_time_takes_effect_once_and_forwards(events: list[tuple[str, int]]) -> None:
    asyncio.run(_lived(events))


async def _lived(events: list[tuple[str, int]]) -> None:
    world = World()
    world.processes = [await world.new_process(), await world.new_process()]
    for event in events:
        await world.happen(event)
    last = await world.new_process()
    await last.scheduler.resume("counting")
    world.processes = [last, last]
    for step in (0, 16 * SECOND, 16 * SECOND, 11 * MINUTE, 16 * SECOND):
        await world.happen(("pass", step))
        await world.turn(last)
    emitted = await last.emitted()
    task = await world.store.record(TASKS, "counting")
    assert task is not None
    by_count = sorted(emitted, key=lambda each: each["count"])
    assert [each["count"] for each in by_count] == list(range(1, len(emitted) + 1))
    assert task.state == {"count": len(emitted)}
    assert all(one["due"] < other["due"] for one, other in pairwise(by_count))
    assert emitted, "in the end it is fired"
    assert all(process.bugs == [] for process in world.processes)
    assert (task.firing, task.next is not None and task.next > world.now) == (None, True)
