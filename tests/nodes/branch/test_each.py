"""The node type `each`."""

import pytest

from engine.flow.loop_node import MAX_ITEMS
from engine.flow.machine import Machine
from tests.engine.flow.build import flow, inputs, out, ports, problems_of, reason_of, run

SKUS = {"items": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]}


def labelled(over: str) -> str:
    """A flow that collects a label for each item."""
    return f"""
    lines:
      each:
        in: {over}
        do: {{label: {{let: {{text: "{{{{ index }}}}{{{{ item }}}}"}}}}}}
        collect: "{{{{ nodes.label.out.text }}}}"
    """


def test_a_list_has_a_turn_for_each_item():
    machine = run(flow(labelled('"$.event.properties.items[*].sku"')), SKUS)
    assert out(machine, "lines") == {"items": ["0a", "1b", "2c"], "count": 3, "failed": []}


def test_an_object_has_a_turn_for_each_entry_in_its_order():
    text = labelled('"{{ event.properties.stock }}"').replace("{{ item }}", "{{ item.key }}={{ item.value }}")
    assert out(run(flow(text), {"stock": {"z": 2, "a": 1}}), "lines")["items"] == ["0z=2", "1a=1"]


@pytest.mark.parametrize(
    ("over", "labels"),
    [
        pytest.param("[x, y]", ["0x", "1y"], id="a list in the file"),
        pytest.param('"{{ [1, 2] }}"', ["01", "12"], id="an expression"),
        pytest.param("[]", [], id="an empty list"),
        pytest.param('"$.event.properties.nowhere[*]"', [], id="a path to nothing"),
    ],
)
def test_lists_come_from_anywhere(over: str, labels: list[str]):
    machine = run(flow(labelled(over)))
    assert (ports(machine)["lines"], out(machine, "lines")["items"]) == ("done", labels)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("x", "`in`: expected `object | array`, got `str`", id="a text"),
        pytest.param(7, "`in`: expected `object | array`, got `int`", id="a number"),
        pytest.param(None, "`in`: expected `object | array`, got `null`", id="null"),
        pytest.param(
            [0] * (MAX_ITEMS + 1), "it has 1,001 items, and a loop has at most 1,000", id="a list that is too long"
        ),
    ],
)
def test_a_value_that_is_no_list_or_too_long_fails_the_node(value: object, reason: str):
    machine = run(flow(labelled('"{{ event.properties.value }}"')), {"value": value})
    assert (ports(machine), reason_of(machine, "lines")) == ({"lines": "failed"}, reason)


def test_an_absent_list_fails_the_node():
    machine = run(flow(labelled('"{{ event.properties.value }}"')))
    assert reason_of(machine, "lines") == "`event.properties.value` is absent"


def test_a_loop_has_its_longest_list():
    machine = run(flow(labelled('"{{ event.properties.value }}"')), {"value": [0] * MAX_ITEMS})
    assert (machine.outcome, out(machine, "lines")["count"]) == ("finished", MAX_ITEMS)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        pytest.param("{do: {a: {log: x}}}", ("H115", "nodes.lines.each"), id="no list"),
        pytest.param("{in: []}", ("H115", "nodes.lines.each"), id="no nodes"),
        pytest.param("{in: [], do: {}}", ("H114", "nodes.lines.each.do"), id="an empty body"),
        pytest.param("{in: [], do: [a]}", ("H114", "nodes.lines.each.do"), id="a body that is a list"),
        pytest.param("{in: some, do: {a: {log: x}}}", ("H114", "nodes.lines.each.in"), id="a text in place of a list"),
        pytest.param("{in: [], do: {a: {log: x}}, at_once: 0}", ("H114", "nodes.lines.each.at_once"), id="no turn"),
        pytest.param("{in: [], do: {a: {log: x}}, on_error: go}", ("H114", "nodes.lines.each.on_error"), id="a word"),
        pytest.param("{in: [], do: {a: {log: x}}, items: []}", ("H113", "nodes.lines.each.items"), id="another field"),
    ],
)
def test_a_config_that_is_not_valid_has_a_problem(config: str, problem: tuple[str, str]):
    assert problems_of(f"lines: {{each: {config}}}") == [problem]


def test_the_machine_asks_for_nothing_when_there_is_no_item():
    made = flow("lines: {each: {in: [], do: {look: {lookup.http: {target: crm}}}}}")
    machine = Machine(made, inputs())
    assert (machine.advance(), machine.outcome) == ([], "finished")
