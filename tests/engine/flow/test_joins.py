"""Joins: how many edges must be taken, and the effects that a node sees after a join."""

import pytest

from engine.flow.machine import Machine
from tests.engine.flow.build import answer, drive, flow, inputs, out, ports, run, stored_profile, traits
from tests.engine.flow.node_types import TYPES

ANN = stored_profile()


JOINED = """
s: {log: x, next: [a, b]}
a: {test.way: "{{ event.properties.a }}", next: {left: end}}
b: {test.way: "{{ event.properties.b }}", next: {left: end}}
end: {log: x, join: %s}
"""


@pytest.mark.parametrize(
    ("join", "a", "b", "runs"),
    [
        ("settled", "left", "left", True),
        ("settled", "left", "right", True),
        ("settled", "right", "right", False),
        ("any", "left", "left", True),
        ("any", "right", "left", True),
        ("any", "right", "right", False),
        ("all", "left", "left", True),
        ("all", "left", "right", False),
        ("all", "right", "right", False),
    ],
)
def test_a_join_decides_how_many_edges_must_be_taken(join: str, a: str, b: str, runs: bool):
    machine = run(flow(JOINED % join, TYPES), {"a": a, "b": b})
    assert (("end" in ports(machine)), machine.outcome) == (runs, "finished")


BEHIND = """
s: {log: x, next: [way, b]}
way: {test.way: right, next: {left: gone}}
gone: {log: x, next: further}
further: {log: x, next: end}
b: {log: x, next: end}
end: {log: x, join: %s}
"""


@pytest.mark.parametrize(("join", "runs"), [("settled", True), ("any", True), ("all", False)])
def test_an_edge_from_a_node_that_did_not_run_is_not_taken(join: str, runs: bool):
    assert ("end" in ports(run(flow(BEHIND % join, TYPES)))) == runs


WAITING = """
s: {log: x, next: [slow, fast]}
slow: {test.ask: /, next: end}
fast: {log: x, next: end}
end: {let: {value: "{{ nodes.slow.out.by | default('-') }}"}, join: %s}
"""


@pytest.mark.parametrize(
    ("join", "before"),
    [
        pytest.param("settled", False, id="settled waits for all edges"),
        pytest.param("all", False, id="all waits for all edges"),
        pytest.param("any", True, id="any runs at the first arrival"),
    ],
)
def test_a_join_decides_whether_a_node_waits_for_a_slow_branch(join: str, before: bool):
    machine = Machine(flow(WAITING % join, TYPES), inputs())
    machine.advance()
    assert ("end" in ports(machine)) == before
    drive(machine, {"slow": answer()})
    assert list(ports(machine)).count("end") == 1
    assert out(machine, "end") == {"value": "-" if before else "done"}


def test_join_all_rules_a_node_out_at_the_first_missed_edge():
    text = """
    s: {log: x, next: [slow, fast]}
    slow: {test.ask: /, next: both}
    fast: {log: x, next: {done: last, failed: both}}
    both: {log: x, join: all, next: last}
    last: {log: x}
    """
    machine = Machine(flow(text, TYPES), inputs())
    machine.advance()
    assert list(ports(machine)) == ["s", "fast", "last"]


def test_a_node_runs_once_however_many_edges_lead_to_it():
    text = """
    s: {log: x, next: [a, b, c, end]}
    a: {log: x, next: end}
    b: {log: x, next: end}
    c: {log: x, next: end}
    end: {profile.increment: {traits.ends: 1}, join: %s}
    """
    for join in ("settled", "any", "all"):
        assert traits(run(flow(text % join), profile=ANN)) == {"ends": 1}


def test_with_join_any_a_node_sees_only_the_ancestors_of_the_first_arrival():
    text = """
    s: {log: x, next: [a, b]}
    a: {test.ask: /a, next: mark_a}
    b: {test.ask: /b, next: mark_b}
    mark_a: {profile.set: {traits.a: 1}, next: end}
    mark_b: {profile.set: {traits.b: 1}, next: end}
    end: {let: {value: "{{ profile.traits }}"}, join: any}
    """
    machine = Machine(flow(text, TYPES), inputs(profile=ANN))
    first, second = machine.advance()
    machine.reply(second.node, answer())
    machine.advance()
    machine.reply(first.node, answer())
    machine.advance()
    assert out(machine, "end") == {"value": {"b": 1}}
    assert traits(machine) == {"a": 1, "b": 1}


@pytest.mark.parametrize("by", ["left", "right"])
def test_edges_of_one_node_count_as_one(by: str):
    made = flow(f"a: {{test.way: {by}, next: {{left: b, right: b}}}}\nb: {{log: x, join: all}}", TYPES)
    assert ports(run(made)) == {"a": by, "b": "done"}
