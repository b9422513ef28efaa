"""One history: clients, processes that crash, a sweeper and a delivery worker over one store, by a seeded scheduler."""

from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from typing import Any

from msgspec import structs

from tests.model.assembly import complete
from tests.model.attempt import handle
from tests.model.documents import ProfileDocument, RecordDocument
from tests.model.finishing import finish_document, finish_mark
from tests.model.forgetting import forget, go_on
from tests.model.invariants import check
from tests.model.ledger import Ledger
from tests.model.plan import random_plan
from tests.model.process import Process, Unit
from tests.model.store import Acknowledge, Again, Get, Pause, Put, Refuse, Step, Steps, Store, expect, get

MAX_STEPS = 100_000
CRASH_STEPS = 10_000  # later the processes stay alive: a forgetting needs more time than lies between crashes
MISSED = 0.6  # of the documents, by a search of the sweeper
SWEEPS = 6  # after the last task


class Task:
    """A running generator, the index of its process, and how it ended: `done`, `refused`, `forgotten` or `lost`."""

    def __init__(
        self, steps: Generator[Step, Any, None], process: int | None = None, unit: Unit | None = None, speed: float = 1
    ) -> None:
        self.steps = steps
        self.process = process
        self.unit = unit
        self.speed = speed
        self.born = 0
        self.response: object = None
        self.state = ""
        self.visible: frozenset[str] = frozenset()


class Simulation:
    """Plays one history."""

    def __init__(self, seed: int, variants: Collection[str] = (), report: Callable[[str], None] | None = None) -> None:
        self.store = Store(seed, variants, report)
        self.random = self.store.random
        self.plan = random_plan(self.random)
        self.ledger = Ledger(self.store, self.plan)
        self.tasks: list[Task] = []
        self.clients = 0  # that are not done yet
        self.processes = [Process(self.store) for _ in range(self.random.choice((2, 2, 3)))]

    def play(self) -> None:
        """Play until all clients are done, then to the end. Raises `Broken`."""
        clients = [self._client(units) for units in self.plan.clients]
        clients += [self._operator(id) for id in self.plan.forget]
        self.tasks += [Task(client, speed=0.3) for client in clients]
        self.clients = len(clients)
        self._start_background()
        crash = self.random.choice((0, 0.003, 0.01))
        steps = 0
        while self.clients:
            steps += 1
            expect(steps < MAX_STEPS, "no progress")
            if steps < CRASH_STEPS and self.random.random() < crash:
                self._crash(self.random.randrange(len(self.processes)))
            if self.store.late and self.random.random() < 0.05:
                self.store.apply(self.store.late.pop(self.random.randrange(len(self.store.late))).put)
            task = self.tasks[int(self.random.random() * len(self.tasks))]
            if task.speed == 1 or self.random.random() < task.speed:
                self._step(task)
        self._end()
        check(self.store, self.plan, self.ledger)

    def _end(self) -> None:
        """Let the last tasks run or die, late writes come, and the sweeper pass; then there are no more faults."""
        self.tasks = [task for task in self.tasks if task.unit] if self.random.random() < 0.5 else []
        while self.tasks or self.store.late:
            if self.store.late and (not self.tasks or self.random.random() < 0.1):
                self.store.apply(self.store.late.pop().put)
            else:
                self._step(self.random.choice(self.tasks))
        self.store.faults = False
        for _ in range(SWEEPS):
            self._start(Task(self._sweep(Process(self.store), for_ever=False), process=0))
            while self.tasks:
                self._step(self.tasks[0])

    def _start_background(self) -> None:
        """The first process sweeps and delivers."""
        self._start(Task(self._sweep(self.processes[0], for_ever=True), 0, None, 0.1))
        self._start(Task(self._deliver(), 0, None, 0.2))

    # ---- tasks --------------------------------------------------------------------------------------------------

    def _start(self, task: Task) -> Task:
        task.born = self.store.tick()
        self.tasks.append(task)
        return task

    def _spawn(self, unit: Unit) -> Task:
        index = self.random.randrange(len(self.processes))
        speed = self.random.choice((1, 1, 0.3, 0.03))
        return self._start(Task(handle(self.processes[index], unit), index, unit, speed))

    def _step(self, task: Task) -> None:
        try:
            step = task.steps.send(task.response)
        except StopIteration:
            self.tasks.remove(task)
            task.state = task.state or "lost"
            self.clients -= task.process is None
            return
        task.response = self.store.execute(step, task.born) if isinstance(step, Get | Put) else None
        if isinstance(step, Pause):
            task.born = self.store.tick()
        elif isinstance(step, Refuse):
            task.state = "forgotten" if step.for_good else "refused"
        elif isinstance(step, Acknowledge) and not task.state:
            lost = self.store.faults and self.random.random() < 0.05
            task.state, task.visible = ("lost" if lost else "done"), step.visible
            if task.unit is not None:
                self.ledger.acknowledged(task.unit, step.answer, received=not lost)

    def _crash(self, index: int) -> None:
        self.store.statistics["crashes"] += 1
        self.processes[index] = Process(self.store)
        for task in [task for task in self.tasks if task.process == index]:
            self.tasks.remove(task)
            task.state = task.state or "lost"
        if index == 0:
            self._start_background()

    def _client(self, units: list[Unit]) -> Steps[None]:
        """Sends its units in order, again until they are acknowledged, sometimes twice at once; it may give up."""
        acknowledged: dict[str, set[str]] = {}  # by the id that they came in under
        for number, unit in enumerate(units):
            while True:
                sent = [self._spawn(unit) for _ in range(2 if self.random.random() < 0.2 else 1)]
                while not (all(task.state for task in sent) or any(task.state == "done" for task in sent)):
                    yield Pause()
                if done := [task for task in sent if task.state == "done"]:
                    acting = self.ledger.acting(unit)
                    mine = acknowledged.setdefault(acting, set())
                    for task in done if not self.ledger.is_forgotten(acting) else ():
                        expect(mine <= task.visible, "own events unseen:", unit.event, mine - task.visible)
                    if unit.kind != "profileless":
                        mine.add(unit.event)
                    break
                if all(task.state == "forgotten" for task in sent) or self.random.random() < 0.1:
                    break
            if self.random.random() < 0.15:
                self._spawn(self.random.choice(units[: number + 1]))

    def _operator(self, id: str) -> Steps[None]:
        """Forgets an id at some time, again until that is complete."""
        while id not in self.ledger.group_of:
            if not any(task.unit for task in self.tasks):
                return  # no client has brought it
            yield Pause()
        for _ in range(self.random.randrange(60)):
            yield Pause()
        while True:
            index = self.random.randrange(len(self.processes))
            steps = forget(self.processes[index], id, self._quiet)
            task = self._start(Task(steps, index, None, self.random.choice((1, 0.3))))
            while not task.state:
                yield Pause()
            if task.state in ("done", "refused"):
                return

    def _quiet(self, time: int) -> bool:
        """Whether all tasks have ended that ran at a time, and all their writes have come."""
        running = any(task.process is not None and task.born <= time for task in self.tasks)
        return not running and not any(late.born <= time for late in self.store.late)

    def _sweep(self, process: Process, *, for_ever: bool) -> Steps[None]:
        """Finishes and completes what is left, and at last continues forgettings that are incomplete.

        Its search lags, so it misses some documents until the end.
        """
        while True:
            for key in self.store.keys("profile/", "mark/"):
                if for_ever and self.random.random() < MISSED:
                    continue
                with suppress(Again):
                    yield from _sweep_one(process, key)
            if not for_ever:
                for name in self.store.keys("forgetting/"):
                    yield from go_on(process, name, lambda _: True)
                return
            yield Pause()

    def _deliver(self) -> Steps[None]:
        while True:
            for key in self.store.keys("delivery/"):
                delivery, version = yield from get(key, RecordDocument)
                if delivery is not None and not delivery.done:
                    yield Put(key, structs.replace(delivery, done=True), version)
            yield Pause()


def _sweep_one(process: Process, key: str) -> Steps[None]:
    if key.startswith("mark/"):
        yield from finish_mark(process, key)
        return
    id = key.removeprefix("profile/")
    document, _ = yield from get(key, ProfileDocument)
    if document is not None and document.open:
        yield from complete(process, id)
    else:
        yield from finish_document(process, id)


def play(seed: int, variants: Collection[str] = (), report: Callable[[str], None] | None = None) -> Simulation:
    """Play a history. Raises `Broken` when the protocol breaks a promise in it."""
    simulation = Simulation(seed, variants, report)
    simulation.play()
    return simulation
