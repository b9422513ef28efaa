"""What holds for every run: of any acyclic flow, whatever the world answers, in whatever order."""

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
from tests.engine.flow.build import ticking
from tests.engine.flow.random_flows import World, driven, flows, worlds

orders = st.randoms(use_true_random=False)
law = settings(max_examples=60, deadline=None)


def done(flow: Flow, world: World, order: Random) -> Machine:
    return driven(Machine(flow, world.inputs, trace=Trace(ticking())), world, order)


def ancestors(machine: Machine, index: int) -> set[int]:
    """The nodes that a settled node comes from, over the edges that were taken."""
    found: set[int] = set()
    todo = list(machine.settled[index].via)
    while todo:
        found.add(source := todo.pop())
        todo += machine.settled[source].via
    return found


@law
@given(flows(), worlds(), orders)
def test_a_run_ends_once_its_asks_are_answered(flow: Flow, world: World, order: Random):
    machine = done(flow, world, order)
    assert machine.over
    assert machine.outcome in ("finished", "failed")
    assert machine.waiting == {}


@law
@given(flows(), worlds(), orders)
def test_every_node_settles_once_or_the_trace_says_why_not(flow: Flow, world: World, order: Random):
    machine = done(flow, world, order)
    assert machine.trace is not None
    document = render(machine.trace, machine)
    steps = [each["node"] for each in document["steps"]]
    missing = [each["node"] for each in document["not_run"]]
    assert steps == [flow.nodes[index].id for index in machine.settled]
    assert sorted(steps + missing) == sorted(node.id for node in flow.nodes)
    assert all(each["why"] for each in document["not_run"])


@law
@given(flows(), worlds(), orders)
def test_a_join_decides_by_the_edges_that_were_taken(flow: Flow, world: World, order: Random):
    machine = done(flow, world, order)
    stopped = any(isinstance(effect, Stop) for _, effect in machine.effects())
    whole = machine.outcome == "finished" and not machine.cancelled and not stopped
    for node in flow.nodes:
        taken = [i for i, ports in node.ins if i in machine.settled and machine.settled[i].port in ports]
        starts = node.index in flow.starts
        if node.index in machine.settled:
            via = list(machine.settled[node.index].via)
            assert via == taken if node.join != "any" else set(via) <= set(taken) and len(via) <= 1
            assert taken or starts
            assert node.join != "all" or len(taken) == len(node.ins)
        elif whole:
            assert (not taken and not starts) or (node.join == "all" and len(taken) < len(node.ins))


@law
@given(flows(), worlds(), orders)
def test_a_node_sees_what_its_ancestors_did_and_nothing_else(flow: Flow, world: World, order: Random):
    machine = done(flow, world, order)
    for index, settled in machine.settled.items():
        node = flow.nodes[index]
        if (node.id.endswith("see") or node.id == "end") and settled.port == "done":
            assert settled.out == {"marks": sum(marks(machine, ancestors(machine, index)))}


def marks(machine: Machine, indexes: Iterable[int]) -> Iterable[int]:
    """The marks that nodes have left."""
    for index in indexes:
        node = machine.flow.nodes[index]
        if node.id.endswith("mark") and machine.settled[index].port == "done":
            yield 2 ** place(node)


def place(node: PlannedNode) -> int:
    """The number of a node in the order of writing."""
    return int(node.id[1:].partition("_")[0])


@law
@given(flows(may_end_early=False), worlds(), orders)
def test_what_all_nodes_did_is_folded_in_plan_order(flow: Flow, world: World, order: Random):
    machine = done(flow, world, order)
    appended = [effect.value for _, effect in machine.effects() if isinstance(effect, Append)]
    assert appended == sorted(appended)
    if machine.final_state().scope["profile"] is not None:
        assert machine.final_state().scope["profile"]["traits"].get("order", []) == appended


@law
@given(flows(), worlds(), st.integers())
def test_a_run_is_determined_by_its_inputs_and_replies(flow: Flow, world: World, seed: int):
    one, other = (done(flow, world, Random(seed)) for _ in range(2))  # the same order twice
    assert one.to_run() == other.to_run()
    assert one.final_state().scope == other.final_state().scope


@law
@given(flows(("settled", "all"), may_end_early=False), worlds(), orders, orders)
def test_the_order_of_replies_decides_nothing_unless_a_branch_does_not_wait(
    flow: Flow, world: World, order: Random, other: Random
):
    one, two = done(flow, world, order), done(flow, world, other)
    assert one.settled == two.settled
    assert (one.outcome, one.final_state().scope) == (two.outcome, two.final_state().scope)


@law
@given(flows(), worlds(), st.integers())
def test_a_run_may_be_put_away_at_every_ask(flow: Flow, world: World, seed: int):
    together = done(flow, world, Random(seed))
    order = Random(seed)
    state, waiting = advance_run(flow, new_run(flow, world.inputs))
    while waiting and state.outcome is None:
        state = msgspec.json.decode(msgspec.json.encode(state), type=Run)
        asked = waiting.pop(order.randrange(len(waiting)))
        state, more = advance_run(flow, state, (asked.node, world.reply(asked)))
        waiting += more
    assert msgspec.json.encode(state) == msgspec.json.encode(together.to_run())
    assert Machine.from_run(flow, state).final_state().scope == together.final_state().scope


@law
@given(flows(), worlds(), orders)
def test_a_run_taken_up_again_has_its_open_asks_outstanding(flow: Flow, world: World, order: Random):
    machine = Machine(flow, world.inputs)
    asked = machine.advance()
    assert Machine.from_run(flow, machine.to_run()).outstanding() == asked


@law
@given(flows(), worlds(), orders)
def test_running_again_from_the_replies_comes_to_the_same(flow: Flow, world: World, order: Random):
    machine = driven(Machine(flow, world.inputs), world, order)
    again = machine.replay(Trace(ticking()))
    assert again.to_run() == machine.to_run()
    assert list(again.effects()) == list(machine.effects())
    assert list(again.settled) == list(machine.settled)


@law
@given(flows(), worlds(), orders)
def test_a_trace_changes_nothing(flow: Flow, world: World, order: Random):
    state = order.getstate()
    traced = done(flow, world, order)
    order.setstate(state)
    assert driven(Machine(flow, world.inputs), world, order).to_run() == traced.to_run()


@law
@given(flows(), worlds(), orders)
def test_nothing_that_a_run_is_given_is_changed(flow: Flow, world: World, order: Random):
    before = deepcopy(world.inputs)
    machine = done(flow, world, order)
    assert machine.trace is not None
    render(machine.trace, machine)
    assert world.inputs == before
    assert machine.inputs is world.inputs
