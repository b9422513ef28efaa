"""Calls of a node, for tests of performers."""

from typing import Any

from engine.flow.ask import HttpAsk
from engine.ports.world import OutsideCall


def call(target: str, method: str = "GET", path: str = "/", *fields: Any, **more: Any) -> OutsideCall:
    """The first attempt of the node `crm` to have an `HttpAsk` with these fields answered."""
    return call_of("greeting", "crm", HttpAsk(target, method, path, *fields, **more))


def call_of(flow: str, node: str, ask: HttpAsk) -> OutsideCall:
    """The first attempt of a node to have `ask` answered."""
    return OutsideCall(ask=ask, flow=flow, node=node, event="e-1")
