"""Laws of the machine: they hold for any acyclic flow, with any replies in any order."""

from collections.abc import Iterable
from copy import deepcopy
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.durable_run import advance_run, new_run
from engine.flow.effect import Stop
from engine.flow.machine import Machine
from engine.flow.plan import Flow, PlannedNode
from engine.flow.rendering import render
from engine.flow.run import Run
from engine.flow.trace import Trace
from engine.profile.operations import Append
from tests.engine.flow.build import step_clock
from tests.engine.flow.random_flows import Scenario, drive_in_order, flows, scenarios
from tests.fast import cases

orders = st.randoms(use_true_random=False)
law = settings(max_examples=cases(60), deadline=None)


def run_in_order(flow: Flow, scenario: Scenario, order: Random) -> Machine:
    return drive_in_order(Machine(flow, scenario.inputs, trace=Trace(step_clock())), scenario, order)


def ancestors(machine: Machine, index: int) -> set[int]:
    """The indexes of the ancestors of a settled node."""
    indexes: set[int] = set()
    todo = list(machine.settled[index].via)
    while todo:
        indexes.add(source := todo.pop())
        todo += machine.settled[source].via
    return indexes


@law
@given(flows(), scenarios(), orders)
def test_a_run_ends_when_its_asks_are_answered(flow: Flow, scenario: Scenario, order: Random):
    machine = run_in_order(flow, scenario, order)
    assert machine.over
    assert machine.outcome in ("finished", "failed")
    assert machine.waiting == {}


@law
@given(flows(), scenarios(), orders)
def test_every_node_settles_once_or_the_trace_has_a_reason(flow: Flow, scenario: Scenario, order: Random):
    machine = run_in_order(flow, scenario, order)
    assert machine.trace is not None
    document = render(machine.trace, machine)
    steps = [step["node"] for step in document["steps"]]
    missing = [entry["node"] for entry in document["not_run"]]
    assert steps == [flow.nodes[index].id for index in machine.settled]
    assert sorted(steps + missing) == sorted(node.id for node in flow.nodes)
    assert all(entry["why"] for entry in document["not_run"])


@law
@given(flows(), scenarios(), orders)
def test_a_join_decides_by_the_edges_that_were_taken(flow: Flow, scenario: Scenario, order: Random):
    machine = run_in_order(flow, scenario, order)
    stopped = any(isinstance(effect, Stop) for _, effect in machine.effects())
    complete = machine.outcome == "finished" and not machine.cancelled and not stopped
    for node in flow.nodes:
        taken = [i for i, ports in node.ins if i in machine.settled and machine.settled[i].port in ports]
        starts = node.index in flow.starts
        if node.index in machine.settled:
            via = list(machine.settled[node.index].via)
            assert via == taken if node.join != "any" else set(via) <= set(taken) and len(via) <= 1
            assert taken or starts
            assert node.join != "all" or len(taken) == len(node.ins)
        elif complete:
            assert (not taken and not starts) or (node.join == "all" and len(taken) < len(node.ins))


@law
@given(flows(), scenarios(), orders)
def test_a_node_sees_the_effects_of_its_ancestors_and_no_others(flow: Flow, scenario: Scenario, order: Random):
    machine = run_in_order(flow, scenario, order)
    for index, settled in machine.settled.items():
        node = flow.nodes[index]
        if (node.id.endswith("see") or node.id == "end") and settled.port == "done":
            assert settled.out == {"marks": sum(marks(machine, ancestors(machine, index)))}


def marks(machine: Machine, indexes: Iterable[int]) -> Iterable[int]:
    """The marks that the nodes have added."""
    for index in indexes:
        node = machine.flow.nodes[index]
        if node.id.endswith("mark") and machine.settled[index].port == "done":
            yield 2 ** position(node)


def position(node: PlannedNode) -> int:
    """The number of a node in the order of the file."""
    return int(node.id[1:].partition("_")[0])


@law
@given(flows(may_end_early=False), scenarios(), orders)
def test_effects_are_applied_in_plan_order(flow: Flow, scenario: Scenario, order: Random):
    machine = run_in_order(flow, scenario, order)
    appended = [effect.value for _, effect in machine.effects() if isinstance(effect, Append)]
    assert appended == sorted(appended)
    if machine.final_state().scope["profile"] is not None:
        assert machine.final_state().scope["profile"]["traits"].get("order", []) == appended


@law
@given(flows(), scenarios(), st.integers())
def test_a_run_is_determined_by_its_inputs_and_replies(flow: Flow, scenario: Scenario, seed: int):
    first, second = (run_in_order(flow, scenario, Random(seed)) for _ in range(2))  # the same order twice
    assert first.to_run() == second.to_run()
    assert first.final_state().scope == second.final_state().scope


@law
@given(flows(("settled", "all"), may_end_early=False), scenarios(), orders, orders)
def test_the_order_of_replies_does_not_matter_when_all_branches_wait(
    flow: Flow, scenario: Scenario, order: Random, other: Random
):
    first, second = run_in_order(flow, scenario, order), run_in_order(flow, scenario, other)
    assert first.settled == second.settled
    assert (first.outcome, first.final_state().scope) == (second.outcome, second.final_state().scope)


@law
@given(flows(), scenarios(), st.integers())
def test_a_run_can_be_encoded_and_decoded_at_every_ask(flow: Flow, scenario: Scenario, seed: int):
    uninterrupted = run_in_order(flow, scenario, Random(seed))
    order = Random(seed)
    state, waiting = advance_run(flow, new_run(flow, scenario.inputs))
    while waiting and state.outcome is None:
        state = msgspec.json.decode(msgspec.json.encode(state), type=Run)
        asked = waiting.pop(order.randrange(len(waiting)))
        state, more = advance_run(flow, state, (asked.node, scenario.reply(asked)))
        waiting += more
    assert msgspec.json.encode(state) == msgspec.json.encode(uninterrupted.to_run())
    assert Machine.from_run(flow, state).final_state().scope == uninterrupted.final_state().scope


@law
@given(flows(), scenarios(), orders)
def test_a_restored_run_has_its_open_asks_outstanding(flow: Flow, scenario: Scenario, order: Random):
    machine = Machine(flow, scenario.inputs)
    asked = machine.advance()
    assert Machine.from_run(flow, machine.to_run()).outstanding() == asked


@law
@given(flows(), scenarios(), orders)
def test_a_replay_has_the_same_result(flow: Flow, scenario: Scenario, order: Random):
    machine = drive_in_order(Machine(flow, scenario.inputs), scenario, order)
    replayed = machine.replay(Trace(step_clock()))
    assert replayed.to_run() == machine.to_run()
    assert list(replayed.effects()) == list(machine.effects())
    assert list(replayed.settled) == list(machine.settled)


@law
@given(flows(), scenarios(), orders)
def test_a_trace_changes_nothing(flow: Flow, scenario: Scenario, order: Random):
    state = order.getstate()
    traced = run_in_order(flow, scenario, order)
    order.setstate(state)
    assert drive_in_order(Machine(flow, scenario.inputs), scenario, order).to_run() == traced.to_run()


@law
@given(flows(), scenarios(), orders)
def test_a_run_does_not_change_its_inputs(flow: Flow, scenario: Scenario, order: Random):
    before = deepcopy(scenario.inputs)
    machine = run_in_order(flow, scenario, order)
    assert machine.trace is not None
    render(machine.trace, machine)
    assert scenario.inputs == before
    assert machine.inputs is scenario.inputs
