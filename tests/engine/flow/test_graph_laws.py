"""What the graph promises of runs, held against runs; and the plan order against its definition."""

from itertools import combinations, pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.graph import Paths, Wiring, find_cycle, plan_order
from engine.flow.machine import Machine
from engine.flow.plan import Flow
from tests.engine.flow.random_flows import World, driven, flows, worlds

law = settings(max_examples=60, deadline=None)
orders = st.randoms(use_true_random=False)


def wiring(flow: Flow) -> Wiring:
    """The wiring that a flow was planned from, without what its nodes read and write."""
    return Wiring(
        nodes={node.id: node.node for node in flow.nodes},
        ports={node.id: node.ports for node in flow.nodes},
        edges=[
            (node.id, port, flow.nodes[target].id, ())
            for node in flow.nodes
            for port, targets in node.outs.items()
            for target in targets
        ],
        starts=tuple(flow.nodes[index].id for index in flow.starts),
        reads={},
        writes={},
        joins={node.id: node.join for node in flow.nodes},
        guarded=frozenset(),
        places={},
        profile="optional",
        trigger_reads=[],
    )


@law
@given(flows(), worlds(), orders)
def test_what_surely_ran_before_a_node_ran_and_left_by_those_ports(flow: Flow, world: World, order: Random):
    paths = Paths(wiring(flow))
    machine = driven(Machine(flow, world.inputs), world, order)
    for index in machine.settled:
        seen = {flow.nodes[i].id: machine.settled[i].port for i in ancestors(machine, index)}
        id = flow.nodes[index].id
        assert seen.keys() <= paths.before[id]
        for other, ports in paths.ports[id].items():
            assert seen[other] in ports


@law
@given(flows(), worlds(), orders)
def test_nodes_that_are_apart_never_run_in_one_run(flow: Flow, world: World, order: Random):
    paths = Paths(wiring(flow))
    machine = driven(Machine(flow, world.inputs), world, order)
    ran = [flow.nodes[index].id for index in machine.settled]
    assert not any(paths.exclusive(a, b) for a, b in combinations(ran, 2))


def ancestors(machine: Machine, index: int) -> set[int]:
    """The nodes that a settled node comes from, over the edges that were taken."""
    via = machine.settled[index].via
    return set(via).union(*(ancestors(machine, source) for source in via))


@st.composite
def graphs(draw: st.DrawFn) -> Wiring:
    """Any graph, with or without cycles, and its nodes written in any order."""
    ids = draw(st.permutations([f"n{i}" for i in range(draw(st.integers(1, 7)))]))
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=12, unique=True))
    return Wiring(
        nodes=dict.fromkeys(ids),  # type: ignore[arg-type]  # no node types are needed here
        ports={},
        edges=[(source, "done", target, ()) for source, target in pairs],
        starts=(),
        reads={},
        writes={},
        joins={},
        guarded=frozenset(),
        places={},
        profile="optional",
        trigger_reads=[],
    )


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_there_is_a_cycle_or_an_order_in_which_each_node_is_the_first_written_that_can_be(graph: Wiring):
    cycle = find_cycle(graph)
    if cycle is not None:
        loop = cycle.message.removeprefix("nodes form a cycle: ").split(" → ")
        edges = {(source, target) for source, _, target, _ in graph.edges}
        assert loop[0] == loop[-1]
        assert all(pair in edges for pair in pairwise(loop))
        return
    done: list[str] = []
    while len(done) < len(graph.nodes):
        free = (id for id in graph.nodes if id not in done and all(s in done for s, _, _, _ in graph.into(id)))
        done.append(next(free))
    assert plan_order(graph) == done
