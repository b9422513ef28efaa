"""The driver: it answers the asks of a run until nothing is left to answer, and says whether the run is over."""

import asyncio

import pytest

from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpReply
from engine.flow.machine import Machine
from engine.profile.document import Profile
from engine.tracking.intake.payload import Intake
from engine.tracking.pipeline.driver import Driver
from engine.tracking.pipeline.time_slices import TimeSlices
from engine.tracking.unit.processing import PendingRun
from engine.tracking.unit.request import UnitRequest
from storage.memory import MemoryStore
from tests.engine.flow.build import flow, inputs
from tests.projects import SHOP

LOOKUPS = """
flow: lookups
trigger: {event: paid}
start: [one, two]
nodes:
  one: {lookup.http: {target: crm, path: /one}}
  two: {lookup.http: {target: crm, path: /two}}
"""
STOPPED = """
flow: stopped
trigger: {event: paid}
start: [slow, cached]
nodes:
  slow: {lookup.http: {target: crm, path: /slow}}
  cached: {cache.get: greeting, next: {missing: end}}
  end: {stop: enough}
"""


@pytest.fixture
def driver() -> Driver:
    performer = ScriptedPerformer()
    for path in ("/one", "/two"):
        performer.on("crm", path, HttpReply(200, {"path": path}))
    return driver_of(performer)


def driver_of(performer: ScriptedPerformer) -> Driver:
    async def resolve(id: str, now: int) -> Profile | None:
        return None

    clock = ManualClock()
    return Driver(MemoryStore(), performer, clock, resolve, TimeSlices(clock.ticks))


def request() -> UnitRequest:
    return UnitRequest.of(Intake(source="shop", session="s-1"), SHOP, ManualClock(), lambda: "seed")


async def test_a_run_whose_asks_are_all_answered_is_over(driver: Driver) -> None:
    machine = Machine(flow(LOOKUPS), inputs())
    assert await driver.drive(PendingRun(machine, machine.advance(), "client:e-1"), request()) == "over"
    assert machine.outcome == "finished"


async def test_a_run_that_waits_for_a_reply_which_does_not_come_now_is_suspended(driver: Driver) -> None:
    machine = Machine(flow(LOOKUPS), inputs())
    first, second = machine.advance()
    assert await driver.drive(PendingRun(machine, [first], "client:e-1"), request()) == "suspended"
    assert machine.outcome is None
    assert [asked.id for asked in machine.outstanding()] == [second.id]


async def test_a_suspended_run_is_over_once_its_outstanding_asks_are_answered(driver: Driver) -> None:
    made = flow(LOOKUPS)
    machine = Machine(made, inputs())
    first, _ = machine.advance()
    await driver.drive(PendingRun(machine, [first], "client:e-1"), request())
    resumed = Machine.from_run(made, machine.to_run())
    assert await driver.drive(PendingRun(resumed, resumed.outstanding(), "client:e-1"), request()) == "over"
    assert {settled.out["path"] for settled in resumed.settled.values()} == {"/one", "/two"}


async def test_a_run_that_one_branch_has_stopped_waits_for_no_other_branch() -> None:
    performer = ScriptedPerformer().on("crm", "/slow", after=asyncio.Event())
    machine, paid = Machine(flow(STOPPED), inputs()), request()
    driver = driver_of(performer)
    assert await driver.drive(PendingRun(machine, machine.advance(), "client:e-1"), paid) == "over"
    assert (machine.outcome, len(machine.cancelled)) == ("finished", 1)
    assert paid.replies == {}  # else the driver has waited for the look-up


async def test_no_outside_request_is_sent_once_a_run_has_ended() -> None:
    performer = ScriptedPerformer()
    machine = Machine(flow(STOPPED), inputs())
    slow, cached = machine.advance()
    driver = driver_of(performer)
    assert await driver.drive(PendingRun(machine, [cached, slow], "client:e-1"), request()) == "over"
    assert performer.calls == []
