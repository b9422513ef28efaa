"""The examples of node types: as YAML, as a flow of one node, and as the node with its templates evaluated."""

from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from engine.flow.node import Node, type_name
from engine.flow.plan import Flow
from nodes import builtin
from tests.nodes.build import NOW, node_context, stored_profile

# The properties that examples may read; for any other property an example needs a default.
PROPERTIES = {
    "brand": "Mill & Co",
    "currency": "EUR",
    "customer": "C-2002",
    "email": "Ann@Example.com",
    "friend": "bo@example.com",
    "items": [{"sku": "A-1", "brand": "Mill & Co"}, {"sku": "B-2", "brand": "Wheel"}],
    "member_id": "m-7",
    "order_id": "o-1",
    "phone": "+49 30 901820",
    "previous_id": "p-old",
    "query": "mill stones",
    "rate": 1.07,
    "session_id": "s-9",
    "topic": "water",
    "total": 620,
}
EVENT = {"id": "e-1", "type": "order-paid", "properties": PROPERTIES, "context": {"campaign": "spring"}, "time": NOW}
NAMES = ProjectNames(
    segments=frozenset({"vip", "customers", "newsletter"}),
    manual_segments=frozenset({"vip", "customers", "newsletter"}),
    targets=frozenset({"crm", "mail"}),
    mail_targets=frozenset({"mail"}),
    sources=frozenset({"shop"}),
)
REGISTRY = builtin()


def examples(types: Iterable[type[Node]]) -> list[Any]:
    """Parameters (type, text), one for each example."""
    return [
        pytest.param(node, text, id=f"{type_name(node)}-{i}")
        for node in types
        for i, text in enumerate(node.examples, 1)
    ]


def document(text: str) -> dict[str, Any]:
    """The document of a flow with the example as its only node."""
    trigger = {"every": "1h"} if "state." in text or "event.store" in text else {"event": "order-paid"}
    flow = {"flow": "example", "trigger": trigger, "nodes": yaml.safe_load(text)}
    return {**flow, "while_waiting": "parallel"} if "wait" in text else flow


def flow_of(text: str) -> Flow:
    """The flow with the example as its only node. Fails when the flow has errors."""
    return flow_of_nodes(text)


def flow_of_nodes(text: str) -> Flow:
    """The flow with these nodes. Fails when the flow has errors."""
    flow, problems = compile_flow(document(text), NAMES, REGISTRY)
    assert flow is not None, problems
    return flow


def node_of(text: str) -> Node:
    """The node of the example, with its templates evaluated for one event."""
    context = node_context(
        stored_profile(traits__revenue=500, traits__name="Ann"), {"id": "s-1", "properties": {}}, EVENT
    )
    scope = {
        "event": context.event,
        "session": context.session,
        "profile": context.profile,
        "source": context.source,
        "nodes": {},
        "now": NOW,
    }
    return flow_of(text).nodes[0].template(scope)
