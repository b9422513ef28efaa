"""Poison: large flows, many paths, hostile patterns and data. What is counted is work, not time."""

from typing import Any

import pytest

from engine.flow.compile import MAX_NODES
from engine.flow.config_template import ConfigTemplate
from engine.flow.machine import Machine
from engine.flow.plan import Flow, glob
from engine.flow.run_state import RunState
from tests.engine.flow.build import compiled, flow, found, inputs, out, person, ports, run, traced, traits, why


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
            following = {"next": [f"n{i + 1}_{k}" for k in range(width)]} if i < last else {}
            nodes[f"n{i}_{j}"] = {"profile.increment": {"traits.n": 1}, **following}
    return nodes


SHAPES = [chain, fan, diamonds, layers]


def large(nodes: dict[str, Any]) -> Flow:
    return flow({"flow": "large", "trigger": {"event": "paid"}, "nodes": nodes})


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[int]:
    """Counts the calls of a method from now on, in a list of one."""
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
    filled = counted(monkeypatch, ConfigTemplate, "__call__")
    seen = counted(monkeypatch, RunState, "after")
    machine = run(made, profile=person())
    expected = sum(node.node.__name__ == "ProfileIncrement" for node in made.nodes)
    assert (machine.outcome, len(machine.settled), traits(machine)) == ("finished", size, {"n": expected})
    assert filled == [size]
    assert seen[0] <= 2 * size
    assert len(traced(machine)["steps"]) == size


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_large_run_that_was_put_away_is_taken_up_again(shape: Any):
    made = large(shape())
    machine = run(made, profile=person())
    assert Machine.from_run(made, machine.to_run()).final_state().scope == machine.final_state().scope


def test_a_large_flow_of_branches_that_exclude_each_other_is_compiled():
    nodes: dict[str, Any] = {}
    for i in range(MAX_NODES // 4):
        nodes[f"s{i}"] = {"if": f"event.properties.p{i}", "next": {"then": f"a{i}", "else": f"b{i}"}}
        nodes[f"a{i}"] = {"profile.set": {"traits.x": 1}, "next": f"e{i}"}
        nodes[f"b{i}"] = {"profile.set": {"traits.x": 2}, "next": f"e{i}"}
        nodes[f"e{i}"] = {"log": "{{ profile.traits.x }}", "next": f"s{i + 1}"}
    del nodes[f"e{MAX_NODES // 4 - 1}"]["next"]
    assert found({"flow": "large", "trigger": {"event": "paid"}, "nodes": nodes}) == []


def test_a_flow_of_all_edges_is_compiled():
    size = 60
    nodes = {f"n{i}": {"log": "x", "next": [f"n{j}" for j in range(i + 1, size)]} for i in range(size)}
    made, problems = compiled({"flow": "dense", "trigger": {"event": "paid"}, "nodes": nodes})
    assert (problems, made is not None) == ([], True)
    assert made is not None
    assert len(run(made).settled) == size


def test_a_long_cycle_is_found():
    nodes = {f"n{i}": {"log": "x", "next": f"n{(i + 1) % MAX_NODES}"} for i in range(MAX_NODES)}
    assert [code for code, _ in found({"flow": "round", "trigger": {"event": "paid"}, "nodes": nodes})] == ["H301"]


@pytest.mark.parametrize(
    ("pattern", "text", "takes"),
    [
        pytest.param("*a" * 20 + "b", "a" * 200, False, id="many stars"),
        pytest.param("a*" * 20 + "b", "a" * 200 + "b", True, id="many stars that fit"),
        pytest.param("?" * 100 + "*" * 50 + "x", "y" * 200, False, id="signs and stars"),
    ],
)
def test_a_glob_is_no_trap(pattern: str, text: str, takes: bool):
    assert (glob(pattern).fullmatch(text) is not None) == takes


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


def test_data_never_decides_what_is_written():
    made = flow("a: {profile.set: {traits.x: '{{ event.properties.x }}'}}")
    machine = run(made, {"x": {"segments": ["vip"], "id": "p-other"}}, profile=person())
    assert machine.final_state().scope["profile"]["segments"] == ()
    assert traits(machine) == {"x": {"id": "p-other", "segments": ["vip"]}}


def test_deep_data_is_carried_or_refused_and_never_breaks_the_machine():
    deep: Any = 1
    for _ in range(5_000):
        deep = {"x": deep}
    made = flow("a: {let: {x: '{{ event.properties.x }}'}, next: {failed: b}}\nb: {log: x}")
    machine = Machine(made, inputs({"x": deep}))
    machine.advance()
    assert machine.over
    assert ports(machine)["a"] in ("done", "failed")
    assert why(machine, "a") or machine.outcome == "finished"
