"""Every example of a node type compiles and runs as part of a flow."""

from typing import Any

import pytest

from engine.flow.compile import compile_flow
from engine.flow.machine import Machine
from engine.flow.node import Node, type_name
from engine.flow.run import Inputs
from engine.profile.key import KeyRules
from nodes import builtin
from tests.nodes.build import NOW, stored_profile
from tests.nodes.example import EVENT, NAMES, PROPERTIES, REGISTRY, document, examples, flow_of

every_example = pytest.mark.parametrize(("node", "text"), examples(builtin()))


@every_example
def test_an_example_compiles_without_errors(node: type[Node], text: str):
    flow, problems = compile_flow(document(text), NAMES, REGISTRY)
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert flow is not None
    assert flow.nodes[0].node is node


@every_example
def test_an_example_runs_or_asks(node: type[Node], text: str):
    machine = Machine(flow_of(text), inputs())
    asks = machine.advance()
    outcome = "failed" if type_name(node) == "fail" else "finished"
    assert asks or machine.paused or machine.outcome == outcome, machine.reason


def inputs() -> Inputs:
    session: dict[str, Any] = {"id": PROPERTIES["session_id"], "created": NOW, "properties": {}, "context": {}}
    source = {"id": "shop", "kind": "public", "consent": False, "times": "received"}
    keys = KeyRules(exclusive=frozenset({("traits", "customer")}))
    own = stored_profile()
    return Inputs(
        event=EVENT, session=session, source=source, profile=own, now=NOW, acting_id=own.id, keys=keys, task_state={}
    )
