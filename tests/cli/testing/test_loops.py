"""Loops in flow tests: mocks, ports, requests and reasons of the nodes in turns."""

import asyncio
from pathlib import Path

import pytest

from cli.testing.run_case import run_case
from cli.testing.step_runner import StepRunner, traced_project
from effects.virtual_time_loop import VirtualTimeLoop
from flows.cases import load_cases
from flows.diagnostic import Diagnostic
from flows.project import load_project
from nodes import builtin
from tests.cli.testing.shop_cases import write

PROJECT = {
    "headrace.yaml": "targets:\n  erp: {url: https://erp.example}\n",
    "sources/shop.yaml": "source: shop\nidentify: trust\n",
    "flows/order.yaml": """
        flow: order
        trigger: {event: order-paid}
        nodes:
          lines:
            each:
              in: "$.event.properties.items[*]"
              do:
                price: {lookup.http: {target: erp, path: "/{{ item }}"}, next: line}
                line: {event.emit: {type: order-line, properties: {price: "{{ nodes.price.out }}"}}}
              collect: "{{ nodes.price.out }}"
              at_once: 4
              on_error: skip
            next: answer
          answer: {respond: {prices: "{{ nodes.lines.out.items }}", failed: "{{ nodes.lines.out.failed }}"}}
    """,
}
CASE = """
flow: order
source: shop
cases:
  - name: it
    event: {{type: order-paid, properties: {{items: [a, b, c]}}}}
    mocks: {mocks}
    expect: {expect}
"""


def loaded(root: Path, mocks: str, expect: str) -> tuple[list[str], tuple[Diagnostic, ...]]:
    """The messages of a case's failures, and the problems of its file; one of them is empty."""
    write(root, {**PROJECT, "flows/order.test.yaml": CASE.format(mocks=mocks, expect=expect)})
    project = load_project(root, builtin(), {})
    assert not project.failed, [each.message for each in project.diagnostics]
    cases = load_cases(root, project)
    if cases.diagnostics:
        return [], cases.diagnostics
    file = cases.files[0].file
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        case = file.cases[0]
        played = runner.run(run_case(StepRunner(traced_project(project.project), file, case), case, ("cases", 0)))
    return [failure.message for failure in played.failures], ()


@pytest.mark.parametrize(
    ("mocks", "expect", "messages"),
    [
        pytest.param(
            "{price: [{body: 3}, {body: 4}]}",
            "{path: [lines, answer], response: {prices: [3, 4, 4], failed: []}, calls: {price: 3}}",
            [],
            id="answers in turn",
        ),
        pytest.param(
            '{price: {body: 3}, "lines[1].price": {status: 500}}',
            '{ports: {"lines[0].price": found, "lines[1].price": failed}, response: {prices: [3, 3], failed: [1]}}',
            [],
            id="an answer for one turn",
        ),
        pytest.param(
            "{price: {body: 3}}",
            '{emitted: [order-line, order-line, order-line], calls: {"lines[2].price": 1, order.price: 3}}',
            [],
            id="the requests of one turn",
        ),
        pytest.param(
            "{price: {body: 3}}",
            '{ports: {"lines[2].price": missing, "lines[3].price": found}}',
            [
                "expected `lines[2].price` to leave by `missing`; it left by `found`",
                "expected `lines[3].price` to leave by `found`; it did not run",
            ],
            id="another port",
        ),
        pytest.param(
            "{}",
            "{response: {prices: [], failed: [0, 1, 2]}}",
            [
                f"`lines[{i}].price` of `order` would call GET /{path} of `erp`, but a test calls no targets"
                for i, path in enumerate("abc")
            ],
            id="no mock",
        ),
    ],
)
def test_a_case_names_nodes_in_turns(tmp_path: Path, mocks: str, expect: str, messages: list[str]) -> None:
    assert loaded(tmp_path, mocks, expect) == (messages, ())


@pytest.mark.parametrize(
    ("mocks", "expect", "message", "help"),
    [
        pytest.param(
            "{}",
            "{path: [lines, price, answer]}",
            "`price` is in the loop `lines`, so it is in no path",
            "name the loop alone",
            id="a node of a turn in a path",
        ),
        pytest.param(
            "{}",
            "{ports: {price: found}}",
            "`price` is in the loop `lines`, which has turns",
            "write `lines[0].price` for its first turn",
            id="a port without a turn",
        ),
        pytest.param(
            '{"answer[0].price": {body: 1}}',
            "{outcome: finished}",
            "`price` is in the loop `lines`, which has turns",
            "write `lines[0].price` for its first turn",
            id="another loop",
        ),
        pytest.param(
            '{"lines[0].answer": {body: 1}}',
            "{outcome: finished}",
            "`answer` is in no loop",
            "write `answer`",
            id="no loop",
        ),
    ],
)
def test_a_name_that_no_node_has_is_reported(tmp_path: Path, mocks: str, expect: str, message: str, help: str) -> None:
    _, (diagnostic,) = loaded(tmp_path, mocks, expect)
    assert (diagnostic.message, diagnostic.help) == (message, help)
