"""Flows from the texts of earlier versions."""

from pathlib import Path

import pytest

from engine.flow.plan import Flow
from flows.project import load_project
from nodes import builtin

SETTINGS = "targets: {crm: {url: 'https://crm.example'}}\n"
FLOW = "flow: orders\ntrigger: {event: order-paid}\nnodes:\n  crm: {lookup.http: {target: crm}}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "headrace.yaml").write_text(SETTINGS)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "orders.yaml").write_text(FLOW)
    return tmp_path


def test_the_text_of_a_flow_is_compiled_to_the_same_version(root: Path) -> None:
    project = load_project(root, builtin(), {}).project
    (flow,) = project.flows
    again = project.compile_text(flow.text)
    assert isinstance(again, Flow)
    assert (again.name, again.version, again.indexes) == (flow.name, flow.version, flow.indexes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            FLOW.replace("target: crm", "target: old"), "H118: there is no target `old`", id="a target is gone"
        ),
        pytest.param(FLOW.replace("lookup.http", "lookup.old"), "H111", id="a node type is gone"),
        pytest.param("flow: [", "no YAML", id="no YAML"),
    ],
)
def test_a_text_that_does_not_compile_any_more_says_why(root: Path, text: str, reason: str) -> None:
    found = load_project(root, builtin(), {}).project.compile_text(text)
    assert isinstance(found, str)
    assert reason in found


def test_a_flow_with_errors_is_broken_and_not_gone(root: Path) -> None:
    (root / "flows" / "orders.yaml").write_text(FLOW.replace("target: crm", "target: old"))
    assert load_project(root, builtin(), {}).project.broken_flows == {"orders"}
