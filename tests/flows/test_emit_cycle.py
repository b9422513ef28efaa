"""Flows that always start themselves again are reported; flows that may end are not."""

import pytest

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from flows.emit_cycle import emit_cycles
from flows.reader import read_yaml
from nodes import builtin

NAMES = ProjectNames(targets=frozenset({"crm"}))
AGAIN = "  again: {event.emit: {type: order-paid}}\n"


def cycles(text: str) -> list[tuple[str | int, ...]]:
    flow, problems = compile_flow(read_yaml(f"flow: a\n{text}", "a.yaml").data, NAMES, builtin())
    assert flow is not None, problems
    return [problem.path for problem in emit_cycles(flow)]


@pytest.mark.parametrize("text", [
    pytest.param("trigger: {event: order-paid}\nnodes:\n" + AGAIN, id="at once"),
    pytest.param("trigger: {event: 'order-*'}\nnodes:\n" + AGAIN, id="by a glob"),
    pytest.param("trigger: {source: '*'}\nnodes:\n" + AGAIN, id="by any event"),
    pytest.param("trigger: {event: order-paid}\nconsents: [news]\nnodes:\n" + AGAIN, id="with a consent"),
    pytest.param("trigger: {event: order-paid}\nnodes:\n  one: {log: a, next: again}\n" + AGAIN, id="after a node"),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n  one: {if: event.properties.x, next: {then: two, else: again}}\n"
        "  two: {log: a, next: again}\n" + AGAIN,
        id="on both branches",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n  one: {log: a, next: [two, again]}\n  two: {log: b}\n" + AGAIN,
        id="on one of two branches",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nstart: [one, again]\nnodes:\n  one: {log: a}\n" + AGAIN, id="at a second start"
    ),
])  # fmt: skip
def test_a_flow_that_always_starts_itself_again_is_reported(text: str) -> None:
    assert cycles(text) == [("nodes", "again", "event.emit", "type")]


@pytest.mark.parametrize("text", [
    pytest.param("trigger: {event: order-made}\nnodes:\n" + AGAIN, id="another type"),
    pytest.param("trigger: {event: order-paid, when: event.origin == 'client'}\nnodes:\n" + AGAIN, id="when"),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n"
        "  again: {event.emit: {type: order-paid}, when: event.properties.left > 0}\n",
        id="a node's when",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n  one: {log: a, when: event.properties.x, next: again}\n" + AGAIN,
        id="a when before it",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n  again: {event.emit: {type: order-paid}, disabled: true}\n",
        id="disabled",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n  one: {if: event.properties.x, next: {then: again}}\n" + AGAIN,
        id="on one branch of a condition",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n  one: {if: event.properties.x, next: {then: again, else: two}}\n"
        "  two: {stop: enough}\n" + AGAIN,
        id="the other branch stops",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n"
        "  one: {lookup.http: {target: crm, path: /}, next: {found: again, failed: two}}\n  two: {log: a}\n" + AGAIN,
        id="after a look-up that finds something",
    ),
    pytest.param(
        "trigger: {event: order-paid}\nnodes:\n  again: {event.emit: {type: '{{ event.properties.next }}'}}\n",
        id="a type that depends on the data",
    ),
])  # fmt: skip
def test_a_flow_that_may_end_is_not_reported(text: str) -> None:
    assert cycles(text) == []
