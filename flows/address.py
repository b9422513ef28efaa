"""Addresses: how a case names a node. By its id, or as `flow.node` where several flows have one of that id."""

from collections.abc import Iterator

from msgspec import Struct

from engine.flow.node import Node, Reference, type_name
from engine.flow.plan import Flow, PlannedNode
from engine.flow.registry import field_notes
from engine.problem import Problem, ProblemError, did_you_mean
from engine.project.project import Project


class Address(Struct, frozen=True):
    """A node of a flow."""

    flow: str
    node: str


class Addresses:
    """The nodes of a project, for a file whose flow is `home`, if it names one."""

    def __init__(self, project: Project, home: str | None) -> None:
        self._flows = {flow.name: flow for flow in project.flows}
        self._home = home

    def of(self, text: str) -> Address:
        """The node that a text names. Raises `ProblemError`."""
        flow, dot, id = text.rpartition(".")
        if dot:
            return self._in_flow(flow, id)
        homes = [flow.name for flow in self._flows.values() if text in flow.indexes]
        if self._home in homes or len(homes) == 1:
            return Address(self._home if self._home in homes and self._home else homes[0], text)
        if homes:
            several = " or ".join(f"`{name}.{text}`" for name in homes)
            raise ProblemError(
                Problem(code="H424", message=f"{len(homes)} flows have a node `{text}`", help=f"say {several}")
            )
        home = self._flows.get(self._home or "")
        known = home.indexes if home else {id for flow in self._flows.values() for id in flow.indexes}
        raise _unknown("node", text, did_you_mean(text, known))

    def outside(self, text: str) -> Address:
        """The same, of a node that asks a target. Raises `ProblemError`."""
        address = self.of(text)
        node = self.node(address)
        if asks_outside(node.node):
            return address
        known = [id for id, one in self._outside() if address.flow == one.name]
        message = f"`{text}` is a `{type_name(node.node)}`, which asks nothing outside"
        raise ProblemError(Problem(code="H422", message=message, help=did_you_mean(text, known)))

    def node(self, address: Address) -> PlannedNode:
        """The node at an address."""
        flow = self._flows[address.flow]
        return flow.nodes[flow.indexes[address.node]]

    def _in_flow(self, name: str, id: str) -> Address:
        flow = self._flows.get(name)
        if flow is None:
            raise _unknown("flow", name, did_you_mean(name, self._flows))
        if id not in flow.indexes:
            raise _unknown("node", id, did_you_mean(id, flow.indexes), f" in the flow `{name}`")
        return Address(name, id)

    def _outside(self) -> Iterator[tuple[str, Flow]]:
        for flow in self._flows.values():
            for node in flow.nodes:
                if asks_outside(node.node):
                    yield node.id, flow


def asks_outside(node: type[Node]) -> bool:
    """Whether nodes of this type ask a target, so that they may be mocked."""
    notes = (note for said in field_notes(node).values() for note in said)
    return any(isinstance(note, Reference) and note.kind == "target" for note in notes)


def _unknown(kind: str, name: str, help: str, where: str = "") -> ProblemError:
    return ProblemError(Problem(code="H421", message=f"there is no {kind} `{name}`{where}", help=help))
