"""Large flows, many paths, hostile patterns and data. The tests count work, not time."""

from typing import Any

import pytest

from engine.flow.config_template import ConfigTemplate
from engine.flow.machine import Machine
from engine.flow.node_map import MAX_NODES
from engine.flow.plan import Flow, glob
from engine.flow.run_state import RunState
from tests.engine.flow.build import (
    compiled,
    flow,
    inputs,
    out,
    ports,
    problems_of,
    reason_of,
    run,
    stored_profile,
    trace_of,
    traits,
)


def chain() -> dict[str, Any]:
    return {f"n{i}": {"profile.increment": {"traits.n": 1}, "next": f"n{i + 1}"} for i in range(MAX_NODES - 1)} | {
        f"n{MAX_NODES - 1}": {"profile.increment": {"traits.n": 1}}
    }


def fan() -> dict[str, Any]:
    arms = [f"a{i}" for i in range(MAX_NODES - 2)]
    return {
        "first": {"log": "x", "next": arms},
        **{arm: {"profile.increment": {"traits.n": 1}, "next": "last"} for arm in arms},
        "last": {"log": "x"},
    }


def diamonds() -> dict[str, Any]:
    nodes: dict[str, Any] = {}
    for i in range(MAX_NODES // 3):
        nodes[f"s{i}"] = {"profile.increment": {"traits.n": 1}, "next": [f"l{i}", f"r{i}"]}
        for side in "lr":
            nodes[f"{side}{i}"] = {"profile.increment": {"traits.n": 1}, "next": f"s{i + 1}"}
    for side in "lr":
        del nodes[f"{side}{MAX_NODES // 3 - 1}"]["next"]
    return nodes


def layers() -> dict[str, Any]:
    width = 10
    nodes: dict[str, Any] = {"s": {"log": "x", "next": [f"n0_{j}" for j in range(width)]}}
    last = (MAX_NODES - 1) // width - 1
    for i in range(last + 1):
        for j in range(width):
            edges = {"next": [f"n{i + 1}_{k}" for k in range(width)]} if i < last else {}
            nodes[f"n{i}_{j}"] = {"profile.increment": {"traits.n": 1}, **edges}
    return nodes


SHAPES = [chain, fan, diamonds, layers]


def large(nodes: dict[str, Any]) -> Flow:
    return flow({"flow": "large", "trigger": {"event": "paid"}, "nodes": nodes})


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[int]:
    """Count the calls of a method from now on. Returns a list whose only item is the count."""
    calls, plain = [0], getattr(owner, name)

    def counting(*args: Any, **more: Any) -> Any:
        calls[0] += 1
        return plain(*args, **more)

    monkeypatch.setattr(owner, name, counting)
    return calls


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_work_grows_with_the_nodes_and_not_with_the_paths(shape: Any, monkeypatch: pytest.MonkeyPatch):
    made = large(shape())
    size = len(made.nodes)
    assert size > MAX_NODES * 0.9
    evaluated = count_calls(monkeypatch, ConfigTemplate, "__call__")
    states = count_calls(monkeypatch, RunState, "after")
    machine = run(made, profile=stored_profile())
    expected = sum(node.node.__name__ == "ProfileIncrement" for node in made.nodes)
    assert (machine.outcome, len(machine.settled), traits(machine)) == ("finished", size, {"n": expected})
    assert evaluated == [size]
    assert states[0] <= 2 * size
    assert len(trace_of(machine)["steps"]) == size


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_large_run_can_be_restored(shape: Any):
    made = large(shape())
    machine = run(made, profile=stored_profile())
    assert Machine.from_run(made, machine.to_run()).final_state().scope == machine.final_state().scope


def test_a_large_flow_of_branches_that_exclude_each_other_is_compiled():
    nodes: dict[str, Any] = {}
    for i in range(MAX_NODES // 4):
        nodes[f"s{i}"] = {"if": f"event.properties.p{i}", "next": {"then": f"a{i}", "else": f"b{i}"}}
        nodes[f"a{i}"] = {"profile.set": {"traits.x": 1}, "next": f"e{i}"}
        nodes[f"b{i}"] = {"profile.set": {"traits.x": 2}, "next": f"e{i}"}
        nodes[f"e{i}"] = {"log": "{{ profile.traits.x }}", "next": f"s{i + 1}"}
    del nodes[f"e{MAX_NODES // 4 - 1}"]["next"]
    assert problems_of({"flow": "large", "trigger": {"event": "paid"}, "nodes": nodes}) == []


def test_a_flow_with_an_edge_between_every_two_nodes_is_compiled():
    size = 60
    nodes = {f"n{i}": {"log": "x", "next": [f"n{j}" for j in range(i + 1, size)]} for i in range(size)}
    made, problems = compiled({"flow": "dense", "trigger": {"event": "paid"}, "nodes": nodes})
    assert (problems, made is not None) == ([], True)
    assert made is not None
    assert len(run(made).settled) == size


def test_a_long_cycle_is_found():
    nodes = {f"n{i}": {"log": "x", "next": f"n{(i + 1) % MAX_NODES}"} for i in range(MAX_NODES)}
    assert [code for code, _ in problems_of({"flow": "round", "trigger": {"event": "paid"}, "nodes": nodes})] == [
        "H301"
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        pytest.param("*a" * 20 + "b", "a" * 200, False, id="many stars"),
        pytest.param("a*" * 20 + "b", "a" * 200 + "b", True, id="many stars that fit"),
        pytest.param("?" * 100 + "*" * 50 + "x", "y" * 200, False, id="question marks and stars"),
    ],
)
def test_a_hostile_glob_is_matched_quickly(pattern: str, text: str, matches: bool):
    assert (glob(pattern).fullmatch(text) is not None) == matches


@pytest.mark.parametrize(
    "name",
    ["items", "keys", "get", "__class__", "__proto__", "constructor", "_id", "$set", "a.b", "", " "],
)
def test_names_of_properties_are_data(name: str):
    text = """
    a: {let: {x: "{{ event.properties }}"}, next: b}
    b: {let: {y: "{{ event.properties[event.properties.asked] }}"}}
    """
    machine = run(flow(text), {"asked": name, name: 5})
    assert (out(machine, "a"), out(machine, "b")) == ({"x": {"asked": name, name: 5}}, {"y": 5})


@pytest.mark.parametrize(
    "text",
    ["{{ 1 + 1 }}", "{{ profile.id }}", "$.event.id", "{% raw %}", "${env:HOME}", "{{ x.__class__ }}"],
)
def test_data_is_never_evaluated(text: str):
    made = flow("a: {let: {x: '{{ event.properties.x }}'}, next: b}\nb: {let: {y: 'So: {{ nodes.a.out.x }}'}}")
    machine = run(made, {"x": text})
    assert (out(machine, "a"), out(machine, "b")) == ({"x": text}, {"y": f"So: {text}"})


def test_data_never_decides_which_path_is_written():
    made = flow("a: {profile.set: {traits.x: '{{ event.properties.x }}'}}")
    machine = run(made, {"x": {"segments": ["vip"], "id": "p-other"}}, profile=stored_profile())
    assert machine.final_state().scope["profile"]["segments"] == ()
    assert traits(machine) == {"x": {"id": "p-other", "segments": ["vip"]}}


def test_deep_data_is_accepted_or_fails_its_node_and_never_breaks_the_machine():
    deep: Any = 1
    for _ in range(5_000):
        deep = {"x": deep}
    made = flow("a: {let: {x: '{{ event.properties.x }}'}, next: {failed: b}}\nb: {log: x}")
    machine = Machine(made, inputs({"x": deep}))
    machine.advance()
    assert machine.over
    assert ports(machine)["a"] in ("done", "failed")
    assert reason_of(machine, "a") or machine.outcome == "finished"
