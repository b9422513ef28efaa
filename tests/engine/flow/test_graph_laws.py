"""Laws of the graph: its statements about runs hold in random runs, and the plan order agrees with its definition."""

from itertools import combinations, pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.graph import Paths, Wiring, find_cycle, plan_order
from engine.flow.machine import Machine
from engine.flow.plan import Flow
from tests.engine.flow.random_flows import Scenario, drive_in_order, flows, scenarios
from tests.fast import cases

law = settings(max_examples=cases(60), deadline=None)
orders = st.randoms(use_true_random=False)


def wiring(flow: Flow) -> Wiring:
    """The wiring of a flow, without the reads and writes of its nodes."""
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
        outputs={node.id: node.node.output for node in flow.nodes},
        joins={node.id: node.join for node in flow.nodes},
        guarded=frozenset(),
        places={},
        profile="optional",
        trigger_reads=[],
        profile_needs={},
    )


@law
@given(flows(), scenarios(), orders)
def test_the_nodes_in_paths_ran_before_a_node_and_left_by_those_ports(flow: Flow, scenario: Scenario, order: Random):
    paths = Paths(wiring(flow))
    machine = drive_in_order(Machine(flow, scenario.inputs), scenario, order)
    for index in machine.settled:
        ports_before = {flow.nodes[i].id: machine.settled[i].port for i in ancestors(machine, index)}
        id = flow.nodes[index].id
        assert ports_before.keys() <= paths.before[id]
        for other, ports in paths.ports[id].items():
            assert ports_before[other] in ports


@law
@given(flows(), scenarios(), orders)
def test_exclusive_nodes_never_run_in_one_run(flow: Flow, scenario: Scenario, order: Random):
    paths = Paths(wiring(flow))
    machine = drive_in_order(Machine(flow, scenario.inputs), scenario, order)
    ran = [flow.nodes[index].id for index in machine.settled]
    assert not any(paths.exclusive(a, b) for a, b in combinations(ran, 2))


def ancestors(machine: Machine, index: int) -> set[int]:
    """The indexes of the ancestors of a settled node."""
    via = machine.settled[index].via
    return set(via).union(*(ancestors(machine, source) for source in via))


@st.composite
def graphs(draw: st.DrawFn) -> Wiring:
    """Any graph, with or without cycles, with its nodes in any order."""
    ids = draw(st.permutations([f"n{i}" for i in range(draw(st.integers(1, 7)))]))
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=12, unique=True))
    return Wiring(
        nodes=dict.fromkeys(ids),  # type: ignore[arg-type]  # no node types are needed here
        ports={},
        edges=[(source, "done", target, ()) for source, target in pairs],
        starts=(),
        reads={},
        writes={},
        outputs={},
        joins={},
        guarded=frozenset(),
        places={},
        profile="optional",
        trigger_reads=[],
        profile_needs={},
    )


@settings(max_examples=cases(300), deadline=None)
@given(graphs())
def test_a_graph_has_a_cycle_or_a_plan_order_that_follows_the_file(graph: Wiring):
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
