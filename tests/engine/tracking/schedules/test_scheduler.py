"""The scheduler: each due time is fired once, together with the state that it leaves, by the process that claims it."""

import asyncio

import pytest
from msgspec import structs

from engine.flow.ask import HttpReply
from engine.ports.kinds import DELIVERIES
from engine.ports.records import RecordWrite, Unit
from engine.ports.store import Store, TooLarge, Unavailable
from engine.ports.task import TaskClaim
from engine.ports.world import OutsideCall
from engine.project.source import Target
from engine.tracking.schedules.claim import write_task
from engine.tracking.schedules.scheduler import Busy, NoTask
from engine.tracking.schedules.task_changes import claimed
from storage.memory import MemoryStore
from tests.engine.tracking.conftest import Opener
from tests.engine.tracking.schedules.process import COUNTING, DAY, HOUR, MINUTE, SECOND, Process, started
from tests.engine.tracking.unavailable_store import AwayStore
from tests.projects import project

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z: a full ten minutes
LOOKING = """
    flow: looking
    trigger: {every: 10m}
    nodes:
      ask: {lookup.http: {target: erp, path: /prices}, next: {found: keep}}
      keep: {state.set: {key: seen, value: "{{ nodes.ask.out.price }}"}}
"""
ERP = {"erp": Target(url="https://erp.example")}
FAILING = """
    flow: failing
    trigger: {every: 10m}
    nodes:
      keep: {state.set: {key: x, value: 1}, next: end}
      end: {fail: "the price list is empty"}
"""


class HeldPerformer:
    """Answers a look-up once it is let go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.calls = 0

    async def perform(self, call: OutsideCall) -> HttpReply:
        self.calls += 1
        self.asked.set()
        await self.go.wait()
        return HttpReply(200, body={"price": 5})


class LossyStore(AwayStore):
    """A store that does not answer the commit with a number, counted from when it is armed."""

    def __init__(self, store: Store, number: int, written: bool) -> None:
        super().__init__(store)
        self.left, self.written, self.armed = number, written, False

    async def commit(self, unit: Unit) -> None:
        self.left -= self.armed
        if self.armed and self.left == 0:
            if self.written:
                await self.store.commit(unit)
            raise Unavailable("the connection broke before the answer came")
        await self.store.commit(unit)


async def counting(store: Store, holder: str = "a", now: int = START, text: str = COUNTING) -> Process:
    return await started(project(text), store, holder, now)


async def test_a_firing_commits_its_state_its_events_and_its_next_due_time_together(store: Store) -> None:
    process = await counting(store)
    assert (await process.turn(), (await process.task()).next) == (0, START + 10 * MINUTE)
    assert await process.turn(10 * MINUTE) == 1
    task = await process.task()
    assert (task.state, task.last, task.next, task.firing) == (
        {"count": 1},
        START + 10 * MINUTE,
        START + 20 * MINUTE,
        None,
    )
    assert await process.emitted() == [{"count": 1, "due": START + 10 * MINUTE}]
    assert [(record.outcome, record.due, record.missed) for record in task.log] == [
        ("finished", START + 10 * MINUTE, 0)
    ]
    assert await process.turn() == 0


async def test_each_firing_sees_what_the_one_before_has_kept(store: Store) -> None:
    process = await counting(store)
    for _ in range(3):
        await process.turn(10 * MINUTE)
    assert [each["count"] for each in await process.emitted()] == [1, 2, 3]


async def test_a_process_that_starts_again_goes_on_with_what_is_stored(opened: Opener) -> None:
    await (await counting(opened())).turn(10 * MINUTE)
    process = await counting(opened(), "b", START + 15 * MINUTE)
    assert await process.turn() == 0
    await process.turn(5 * MINUTE)
    assert (await process.task()).state == {"count": 2}


async def test_of_two_processes_at_once_one_fires(opened: Opener) -> None:
    a, b = await counting(opened()), await counting(opened(), "b")
    for round in range(1, 6):
        for each in (a, b):
            each.clock.set(START + round * 10 * MINUTE)
        await asyncio.gather(a.turn(), b.turn())
    assert [each["count"] for each in await a.emitted()] == [1, 2, 3, 4, 5]
    assert (await a.task()).state == {"count": 5}


async def test_a_run_that_fails_keeps_the_state_and_says_why(store: Store) -> None:
    process = await counting(store, text=FAILING)
    await process.turn(10 * MINUTE)
    task = await process.task("failing")
    assert (task.state, task.next) == ({}, START + 20 * MINUTE)
    assert [(record.outcome, record.reason) for record in task.log] == [("failed", "the price list is empty")]
    assert task.log[0].run


class SmallStore(MemoryStore):
    """A store that takes no unit with an event for another run."""

    async def commit(self, unit: Unit) -> None:
        if any(isinstance(change, RecordWrite) and change.kind is DELIVERIES for change in unit.changes):
            raise TooLarge("it is too large")
        await super().commit(unit)


async def test_a_firing_that_the_store_refuses_fails_and_the_next_due_time_comes() -> None:
    process = await started(project(COUNTING), SmallStore(), "a", START)
    assert [await process.turn(10 * MINUTE) for _ in range(2)] == [1, 1]
    task = await process.task()
    assert [(record.outcome, record.reason) for record in task.log] == [("failed", "it is too large")] * 2
    assert (task.state, task.next) == ({}, START + 30 * MINUTE)


async def test_the_log_has_the_last_twenty_firings(store: Store) -> None:
    process = await counting(store)
    for _ in range(22):
        await process.turn(10 * MINUTE)
    log = (await process.task()).log
    assert (len(log), log[0].due, log[-1].due) == (20, START + 220 * MINUTE, START + 30 * MINUTE)


@pytest.mark.parametrize(
    ("keys", "fired", "skipped"),
    [
        ("catch_up: last", [(35, 2)], 0),
        ("catch_up: none", [], 3),
        ("catch_up: all", [(15, 0), (25, 0), (35, 0)], 0),
    ],
)
async def test_what_becomes_of_missed_due_times(
    store: Store, keys: str, fired: list[tuple[int, int]], skipped: int
) -> None:
    text = COUNTING.replace("every: 10m", f'schedule: "5-59/10 * * * *", {keys}')
    process = await counting(store, text=text)
    await process.turn(5 * MINUTE)
    process.clock.advance(38 * MINUTE - 1)
    while await process.turn():
        pass
    task = await process.task()
    records = [(record.due - START) // MINUTE for record in task.log if record.outcome == "finished"]
    missed = [record.missed for record in task.log if record.outcome == "finished"]
    assert list(zip(reversed(records), reversed(missed), strict=True)) == [(5, 0), *fired]
    assert sum(record.missed for record in task.log if record.outcome == "skipped") == skipped
    assert task.next == START + 45 * MINUTE


async def test_a_due_time_that_is_a_little_late_fires_although_others_are_skipped(store: Store) -> None:
    process = await counting(store, text=COUNTING.replace("every: 10m", "every: 10m, catch_up: none"))
    await process.turn(34 * MINUTE)
    assert [(r.due, r.missed) for r in (await process.task()).log] == [(START + 30 * MINUTE, 2)]


async def test_what_comes_due_while_a_firing_runs_is_missed(store: Store) -> None:
    performer = HeldPerformer()
    process = Process(project(LOOKING, targets=ERP), store, "a", START, performer)
    await process.start()
    process.clock.advance(10 * MINUTE)
    assert await process.scheduler.turn() == 1
    await performer.asked.wait()
    process.clock.advance(25 * MINUTE)
    assert await process.scheduler.turn() == 0
    performer.go.set()
    await process.scheduler.settled()
    await process.turn()
    assert [(r.due - START, r.missed) for r in (await process.task("looking")).log] == [
        (30 * MINUTE, 1),
        (10 * MINUTE, 0),
    ]


async def test_a_jitter_delays_the_start_alike_in_every_process(opened: Opener) -> None:
    text = COUNTING.replace("every: 10m", "every: 10m, jitter: 5m")
    a, b = await counting(opened(), text=text), await counting(opened(), "b", text=text)
    for each in (a, b):
        each.clock.advance(10 * MINUTE)
    delays = []
    for each in (a, b):
        delay = 0
        while not each.scheduler._decision(next(iter(each.scheduler.scheduled.values())), await each.task()):
            each.clock.advance(SECOND)
            delay += 1
        delays.append(delay)
    assert delays[0] == delays[1]
    assert 0 < delays[0] < 300
    await a.turn()
    assert (await a.task()).last == START + 10 * MINUTE


# ---- claims ---------------------------------------------------------------------------------------------------------


async def test_a_claim_that_does_not_change_for_fifteen_seconds_is_taken_over(opened: Opener) -> None:
    store, process = opened(), await counting(opened(), "b")
    process.clock.advance(10 * MINUTE)
    task = await process.task()
    await write_task(store, claimed(task, "dead", START + 10 * MINUTE), task.version)
    assert await process.turn() == 1
    assert await process.emitted() == []  # it looks on
    await process.turn(14 * SECOND)
    assert await process.emitted() == []
    await process.turn(SECOND)
    assert await process.emitted() == [{"count": 1, "due": START + 10 * MINUTE}]


async def test_a_firing_that_is_taken_over_stands_for_the_due_times_that_were_missed_before_it(opened: Opener) -> None:
    performer, other = HeldPerformer(), HeldPerformer()
    a = Process(project(LOOKING, targets=ERP), opened(), "a", START, performer)
    await a.start()
    a.clock.advance(30 * MINUTE)
    await a.scheduler.turn()
    await performer.asked.wait()
    other.go.set()
    b = Process(project(LOOKING, targets=ERP), opened(), "b", START + 30 * MINUTE, other)
    await b.turn()
    await b.turn(15 * SECOND)
    (record,) = (await b.task("looking")).log
    assert (record.due, record.missed) == (START + 30 * MINUTE, 2)
    performer.go.set()
    await a.scheduler.settled()


async def test_a_claim_that_is_renewed_is_not_taken_over(opened: Opener) -> None:
    store, process = opened(), await counting(opened(), "b")
    process.clock.advance(10 * MINUTE)
    for _ in range(10):
        task = await process.task()
        await write_task(store, claimed(task, "alive", START + 10 * MINUTE), task.version)
        await process.turn(5 * SECOND)
    assert await process.emitted() == []


async def test_a_process_that_was_paused_while_it_fired_writes_nothing(opened: Opener) -> None:
    performer = HeldPerformer()
    a = Process(project(LOOKING, targets=ERP), opened(), "a", START, performer)
    await a.start()
    a.clock.advance(10 * MINUTE)
    await a.scheduler.turn()
    await performer.asked.wait()
    other = HeldPerformer()
    other.go.set()
    b = Process(project(LOOKING, targets=ERP), opened(), "b", START + 10 * MINUTE, other)
    await b.turn()
    await b.turn(15 * SECOND)
    after = await b.task("looking")
    assert (after.state, after.firing) == ({"seen": 5}, None)
    performer.go.set()
    await a.scheduler.settled()
    assert await b.task("looking") == after
    assert a.bugs == []


async def test_a_process_whose_claim_another_one_holds_now_writes_nothing(opened: Opener) -> None:
    performer, other = HeldPerformer(), HeldPerformer()
    a = Process(project(LOOKING, targets=ERP), opened(), "a", START, performer)
    await a.start()
    a.clock.advance(10 * MINUTE)
    await a.scheduler.turn()
    await performer.asked.wait()
    b = Process(project(LOOKING, targets=ERP), opened(), "b", START + 10 * MINUTE, other)
    await b.turn()
    b.clock.advance(15 * SECOND)
    await b.scheduler.turn()
    await other.asked.wait()
    performer.go.set()
    await a.scheduler.settled()
    assert (await b.task("looking")).state == {}
    other.go.set()
    await b.scheduler.settled()
    assert (await b.task("looking")).state == {"seen": 5}


async def test_a_schedule_that_changes_while_a_flow_is_fired_ends_the_firing(opened: Opener) -> None:
    performer = HeldPerformer()
    a = Process(project(LOOKING, targets=ERP), opened(), "a", START, performer)
    await a.start()
    a.clock.advance(10 * MINUTE)
    await a.scheduler.turn()
    await performer.asked.wait()
    hourly = project(LOOKING.replace("every: 10m", "every: 1h"), targets=ERP)
    b = Process(hourly, opened(), "b", START + 10 * MINUTE)
    await b.start()
    stored = await b.task("looking")
    performer.go.set()
    await a.scheduler.settled()
    assert await b.task("looking") == stored


async def test_a_process_that_stops_leaves_its_firing_to_others_at_once(opened: Opener) -> None:
    performer = HeldPerformer()
    a = Process(project(LOOKING, targets=ERP), opened(), "a", START, performer)
    await a.start()
    a.clock.advance(10 * MINUTE)
    await a.scheduler.turn()
    await performer.asked.wait()
    await a.scheduler.close()
    assert (await a.task("looking")).firing == TaskClaim("", START + 10 * MINUTE, 1)
    other = HeldPerformer()
    other.go.set()
    b = Process(project(LOOKING, targets=ERP), opened(), "b", START + 11 * MINUTE, other)
    await b.turn()
    assert (await b.task("looking")).last == START + 10 * MINUTE


@pytest.mark.parametrize("step", ["claim", "commit"])
@pytest.mark.parametrize("written", [True, False], ids=["and was written", "and was not"])
async def test_a_write_without_an_answer_ends_in_one_firing(store: Store, step: str, written: bool) -> None:
    lossy = LossyStore(store, {"claim": 1, "commit": 2}[step], written)
    process = Process(project(COUNTING), lossy, "a", START)  # type: ignore[arg-type]  # it has all methods
    await process.start()
    lossy.armed = True
    process.pipeline.report = lambda failure: None
    await process.turn(10 * MINUTE)
    await process.turn(SECOND)
    assert await process.emitted() == [{"count": 1, "due": START + 10 * MINUTE}]
    assert (await process.task()).state == {"count": 1}


# ---- rolling changes, operators -------------------------------------------------------------------------------------


async def test_a_process_with_another_schedule_than_the_stored_one_does_not_fire(opened: Opener) -> None:
    old = await counting(opened())
    new = await counting(opened(), "b", text=COUNTING.replace("every: 10m", "every: 1h"))
    assert (await old.turn(10 * MINUTE), await new.turn(10 * MINUTE)) == (0, 0)
    assert await old.turn(50 * MINUTE) == 0, "also when it is due by the stored schedule"
    assert await new.turn(50 * MINUTE) == 1
    assert (await new.task()).last == START + HOUR


async def test_a_changed_schedule_keeps_what_is_owed_and_the_state(opened: Opener) -> None:
    old = await counting(opened())
    await old.turn(10 * MINUTE)
    new = await counting(opened(), "b", START + 21 * MINUTE, COUNTING.replace("every: 10m", "every: 1h"))
    await new.turn()
    task = await new.task()
    assert (task.last, task.next, task.state) == (START + 20 * MINUTE, START + HOUR, {"count": 2})


async def test_a_clock_that_was_set_back_fires_no_due_time_again_when_the_schedule_changes(opened: Opener) -> None:
    await (await counting(opened())).turn(10 * MINUTE)
    new = await counting(opened(), "b", START + 5 * MINUTE, COUNTING.replace("every: 10m", "every: 5m"))
    assert ((await new.task()).next, await new.turn(5 * MINUTE)) == (START + 15 * MINUTE, 0)


@pytest.mark.timeout(20)
async def test_a_due_time_that_was_fired_before_the_clock_was_set_back_ends_when_it_comes_again(opened: Opener) -> None:
    process = await counting(opened())
    await process.turn(10 * MINUTE)
    await process.scheduler.pause("counting")
    process.clock.set(START + 5 * MINUTE)
    await process.scheduler.resume("counting")
    assert await process.turn(5 * MINUTE) == 1
    task = await process.task()
    assert (task.next, task.firing) == (START + 20 * MINUTE, None)
    assert await process.emitted() == [{"count": 1, "due": START + 10 * MINUTE}]


async def test_the_task_of_a_flow_that_is_gone_rests_until_it_is_back(opened: Opener) -> None:
    await (await counting(opened())).turn(10 * MINUTE)
    other = await started(project(FAILING), opened(), "b", START + 15 * MINUTE)
    assert ((await other.task()).next, await other.turn(DAY)) == (None, 1)
    back = await counting(opened(), "c", START + 2 * DAY)
    assert await back.turn(10 * MINUTE) == 1
    assert (await back.task()).state == {"count": 2}


async def test_an_operator_fires_a_task_now(store: Store) -> None:
    process = await counting(store)
    process.clock.advance(3 * MINUTE)
    record = await (await process.scheduler.run_now("counting"))
    assert record is not None
    assert (record.outcome, record.due) == ("finished", START + 3 * MINUTE)
    assert (await process.task()).next == START + 10 * MINUTE
    await process.turn(7 * MINUTE)
    assert [each["count"] for each in await process.emitted()] == [1, 2]


async def test_a_task_that_is_being_fired_is_not_fired_by_hand(opened: Opener) -> None:
    process = await counting(opened())
    task = await process.task()
    await write_task(opened(), claimed(task, "other", START + 10 * MINUTE), task.version)
    with pytest.raises(Busy):
        await process.scheduler.run_now("counting")
    with pytest.raises(NoTask):
        await process.scheduler.run_now("nothing")


async def test_a_paused_task_is_not_due_until_it_is_resumed(store: Store) -> None:
    process = await counting(store)
    assert (await process.scheduler.pause("counting")).paused
    assert await process.turn(30 * MINUTE) == 0
    task = await process.scheduler.resume("counting")
    assert (task.paused, task.next) == (False, START + 40 * MINUTE)
    assert await process.turn(10 * MINUTE) == 1
    assert [record.missed for record in (await process.task()).log] == [0]


async def test_a_task_that_is_paused_while_it_is_fired_ends_its_firing(opened: Opener) -> None:
    performer = HeldPerformer()
    process = Process(project(LOOKING, targets=ERP), opened(), "a", START, performer)
    await process.start()
    process.clock.advance(10 * MINUTE)
    await process.scheduler.turn()
    await performer.asked.wait()
    await process.scheduler.pause("looking")
    performer.go.set()
    await process.scheduler.settled()
    task = await process.task("looking")
    assert (task.paused, task.next, task.state, task.firing) == (True, None, {"seen": 5}, None)


async def test_a_bug_in_one_task_does_not_hold_up_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await started(project(COUNTING, FAILING), store, "a", START)
    task = await process.task()
    await write_task(store, structs.replace(task, version=task.version + 1, state={"count": "no number"}), task.version)
    await process.turn(10 * MINUTE)
    assert (await process.task("failing")).last == START + 10 * MINUTE
    assert [record.outcome for record in (await process.task()).log] == ["failed"]


class BrokenPerformer:
    """A performer with a bug."""

    async def perform(self, call: OutsideCall) -> HttpReply:
        raise ZeroDivisionError("a bug")


async def test_a_bug_puts_its_task_off_for_a_minute(store: Store) -> None:
    process = Process(project(LOOKING, targets=ERP), store, "a", START, BrokenPerformer())
    await process.start()
    begun = [await process.turn(ms) for ms in (10 * MINUTE, SECOND, SECOND, MINUTE)]
    assert (begun, len(process.bugs)) == ([1, 0, 0, 1], 2)
