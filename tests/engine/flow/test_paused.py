"""Paused runs: put away as values, taken up again, woken by time or by an event."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.machine import Machine
from engine.flow.paused import OtherFlow, PausedRun, hearing, put_away, take_up, wake
from engine.flow.plan import Flow
from engine.flow.run import Inputs
from engine.flow.run_state import initial_state
from engine.flow.trace import Trace
from tests.nodes.build import NOW, stored_profile
from tests.nodes.example import flow_of_nodes

HOUR = 3_600_000
AWAITED = {"id": "e-2", "type": "order-completed", "properties": {"cart": 7}}

CART = """\
mark:
  profile.increment: {traits.carts: 1}
  next: bought
bought:
  wait.for: {event: order-*, when: awaited.properties.cart == event.properties.cart}
  timeout: 2h
  next: {arrived: thank, timeout: remind}
thank:
  let: {order: "{{ nodes.bought.out.id }}"}
remind:
  profile.set: {traits.reminded: true}
"""
TWO = """\
fork:
  let: {x: 1}
  next: [short, long]
short:
  wait: 1h
  next: after_short
after_short:
  profile.increment: {traits.short: 1}
long:
  wait: 3h
  next: after_long
after_long:
  profile.increment: {traits.long: 1}
"""


def inputs(now: int = NOW) -> Inputs:
    event = {"id": "e-1", "type": "cart-updated", "properties": {"cart": 7}, "context": {}}
    return Inputs(event=event, session=None, source={}, profile=stored_profile(), now=now, acting_id="p-ann")


def paused(flow: Flow) -> PausedRun:
    """The value of a run of this flow once it waits, encoded and decoded."""
    machine = Machine(flow, inputs())
    assert machine.advance() == []
    assert machine.paused
    return msgspec.json.decode(msgspec.json.encode(put_away(machine)), type=PausedRun)


def taken_up(flow: Flow, run: PausedRun, now: int) -> Machine:
    again = inputs(now)
    state = initial_state(again)
    return take_up(flow, run, again, state.with_scope({**state.scope, "event": run.event}))


def written(machine: Machine) -> list[str]:
    return [".".join(effect.path) for _, effect in machine.effects()]  # type: ignore[union-attr]


def test_a_run_that_waits_is_paused_and_asks_nothing():
    machine = Machine(flow_of_nodes(CART), inputs())
    assert (machine.advance(), machine.outstanding(), machine.outcome, machine.paused) == ([], [], None, True)


def test_the_value_has_what_waits_and_until_when():
    run = paused(flow_of_nodes(CART))
    assert (run.due, run.on) == (NOW + 2 * HOUR, ("order-*",))
    assert [(one.node, one.port) for one in run.settled] == [("mark", "done")]


def test_the_value_has_no_effects_and_no_profile():
    text = msgspec.json.encode(paused(flow_of_nodes(CART))).decode()
    assert "traits" not in text
    assert "p-ann" not in text


def test_a_run_whose_time_has_come_goes_on_by_timeout_and_repeats_no_effect():
    flow = flow_of_nodes(CART)
    machine = taken_up(flow, paused(flow), NOW + 2 * HOUR)
    wake(machine, NOW + 2 * HOUR)
    machine.advance()
    assert (machine.outcome, written(machine)) == ("finished", ["traits.reminded"])


def test_an_event_that_has_arrived_is_the_output_even_after_the_time():
    flow = flow_of_nodes(CART)
    machine = taken_up(flow, paused(flow), NOW + 9 * HOUR)
    wake(machine, NOW + 9 * HOUR, AWAITED, ("bought",))
    machine.advance()
    assert machine.final_state().scope["nodes"]["thank"]["out"] == {"order": "e-2"}


@pytest.mark.parametrize(("cart", "heard"), [(7, ("bought",)), (8, ())])
def test_an_event_is_heard_if_the_condition_holds(cart: int, heard: tuple[str, ...]):
    flow = flow_of_nodes(CART)
    machine = taken_up(flow, paused(flow), NOW)
    assert hearing(machine, {**AWAITED, "properties": {"cart": cart}}, {"order-*": True}) == heard


def test_an_event_of_another_type_is_not_heard():
    flow = flow_of_nodes(CART)
    assert hearing(taken_up(flow, paused(flow), NOW), AWAITED, {"order-*": False}) == ()


def test_a_run_that_waits_twice_wakes_at_the_earlier_time_and_pauses_again():
    flow = flow_of_nodes(TWO)
    run = paused(flow)
    assert run.due == NOW + HOUR
    machine = taken_up(flow, run, run.due)
    wake(machine, run.due)
    machine.advance()
    assert (machine.paused, written(machine), put_away(machine).due) == (True, ["traits.short"], NOW + 3 * HOUR)


def test_waits_that_are_refused_leave_by_failed():
    machine = Machine(flow_of_nodes(CART), inputs())
    machine.advance()
    machine.refuse_waits("the event has no profile")
    assert (machine.outcome, machine.reason, machine.failed_at) == ("failed", "the event has no profile", "bought")


def test_a_wait_that_was_there_before_stays_when_a_new_one_is_refused():
    flow = flow_of_nodes(TWO.replace("profile.increment: {traits.short: 1}", "wait: 1h"))
    machine = taken_up(flow, paused(flow), NOW + HOUR)
    wake(machine, NOW + HOUR)
    machine.advance()
    assert len(machine.waiting) == 2
    machine.refuse_waits("too many")
    assert machine.failed_at == "after_short"


def test_a_replay_of_a_paused_run_is_the_same_run():
    machine = Machine(flow_of_nodes(CART), inputs())
    machine.advance()
    again = machine.replay(Trace(lambda: 0.0))
    assert put_away(again) == put_away(machine)


def test_a_run_of_another_flow_is_not_taken_up():
    with pytest.raises(OtherFlow):
        taken_up(flow_of_nodes(TWO), paused(flow_of_nodes(CART)), NOW)


@given(st.lists(st.sampled_from(["wait: 1h", "let: {x: 1}", "profile.increment: {traits.n: 1}"]), max_size=8))
def test_pauses_anywhere_change_nothing_but_the_time(types: list[str]):
    """A chain of nodes makes the same effects and outputs, each once, whether its waits pause it or not."""
    nodes = [f"n{i}:\n  {type}\n  next: n{i + 1}\n" for i, type in enumerate(types)]
    flow = flow_of_nodes("".join(nodes) + f"n{len(types)}:\n  let: {{end: 1}}\n")
    machine, now, effects = Machine(flow, inputs()), NOW, list[Any]()
    machine.advance()
    while machine.paused:
        effects += list(machine.effects())
        run, now = put_away(machine), now + HOUR
        assert run.due == now
        machine = taken_up(flow, msgspec.json.decode(msgspec.json.encode(run), type=PausedRun), now)
        wake(machine, now)
        machine.advance()
    effects += list(machine.effects())
    assert machine.outcome == "finished"
    assert len(machine.settled) == len(flow.nodes)
    assert [name for name, _ in effects] == [f"n{i}" for i, type in enumerate(types) if "increment" in type]
