"""Recordings: a run that is encoded and run again from its recording takes the same path and does the same."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.difference import differences
from engine.flow.machine import Machine
from engine.flow.plan import Flow
from engine.flow.recording import MAX_BYTES, NOT_RECORDED, decoded_recording, encoded_recording, replay
from engine.flow.rendering import render
from engine.flow.trace import Trace
from tests.engine.flow.build import answer, drive, flow, inputs, ports, reason_of, step_clock, stored_profile
from tests.engine.flow.random_flows import Scenario, drive_in_order, flows, scenarios
from tests.fast import cases

LOOKUP = """
ask:
  lookup.http: {target: crm, path: "/customers/{{ event.properties.id }}"}
  next: {found: rich, missing: none, failed: none}
rich: {if: "nodes.ask.out.spent > LIMIT", next: {then: vip, else: none}}
vip: {segment.add: vip}
none: {profile.set: {traits.plain: true}}
"""


def recorded(machine: Machine) -> Any:
    encoded, _ = encoded_recording(machine)
    assert encoded is not None
    return decoded_recording(encoded)


@settings(max_examples=cases(60), deadline=None)
@given(flows(), scenarios(), st.randoms(use_true_random=False))
def test_any_run_repeats_itself_from_its_recording(flow: Flow, scenario: Scenario, order: Random) -> None:
    machine = drive_in_order(Machine(flow, scenario.inputs, trace=Trace(step_clock())), scenario, order)
    assert machine.trace is not None
    again = replay(flow, recorded(machine))
    assert again.unrecorded == ()
    assert (again.machine.outcome, again.machine.settled) == (machine.outcome, machine.settled)
    assert list(again.machine.effects()) == list(machine.effects())
    assert differences(render(machine.trace, machine), render(again.trace, again.machine)) == []


def test_a_changed_threshold_is_decided_with_the_recorded_reply() -> None:
    before, after = [flow(LOOKUP.replace("LIMIT", limit)) for limit in ("500", "100")]
    machine = Machine(before, inputs({"id": "c-1"}, stored_profile()), trace=Trace(step_clock()))
    drive(machine, {"ask": answer({"spent": 300})})
    assert ports(machine) == {"ask": "found", "rich": "else", "none": "done"}
    again = replay(after, recorded(machine))
    assert ports(again.machine) == {"ask": "found", "rich": "then", "vip": "done"}
    assert machine.trace is not None
    found = differences(render(machine.trace, machine), render(again.trace, again.machine))
    assert [each.what for each in found] == ["path", "changes"]
    assert found[0].after == ("ask:found", "rich:then", "vip:done")


def test_a_flow_that_asks_something_else_is_given_no_answer_and_says_so() -> None:
    before = flow(LOOKUP.replace("LIMIT", "500"))
    machine = drive(Machine(before, inputs({"id": "c-1"}, stored_profile())), {"ask": answer({"spent": 300})})
    again = replay(flow(LOOKUP.replace("LIMIT", "500").replace("/customers/", "/people/")), recorded(machine))
    assert again.unrecorded == ("ask",)
    assert ports(again.machine)["ask"] == "failed"
    assert NOT_RECORDED in reason_of(again.machine, "ask")


def test_a_recording_has_no_header_of_a_request() -> None:
    secret = flow("""
ask:
  lookup.http: {target: crm, headers: {X-Key: "{{ event.properties.key }}"}}
  next: {found: end, missing: end, failed: end}
end: {let: {x: 1}}
""")
    machine = drive(Machine(secret, inputs({"key": "s3"}, stored_profile())), {"ask": answer({})})
    encoded, _ = encoded_recording(machine)
    assert encoded is not None
    assert b"X-Key" not in encoded
    assert replay(secret, recorded(machine)).unrecorded == ()


def test_a_recording_that_is_too_large_is_not_kept() -> None:
    machine = drive(Machine(flow("end: {let: {x: 1}}"), inputs({"long": "x" * MAX_BYTES}, stored_profile())))
    encoded, size = encoded_recording(machine)
    assert encoded is None
    assert size > MAX_BYTES


def test_a_run_that_may_not_wait_repeats_itself() -> None:
    nodes = {
        "nap": {"wait": "1h", "next": {"done": "rise", "failed": "rise"}},
        "rise": {"profile.set": {"traits.up": 1}},
    }
    waits = flow({"flow": "nap", "trigger": {"event": "tired"}, "while_waiting": "parallel", "nodes": nodes})
    machine = Machine(waits, inputs({}, stored_profile()))
    machine.advance_fully()
    machine.refuse_waits("too many wait")
    again = replay(waits, recorded(machine))
    assert ports(again.machine) == ports(machine) == {"nap": "failed", "rise": "done"}
    assert reason_of(again.machine, "nap") == reason_of(machine, "nap")
