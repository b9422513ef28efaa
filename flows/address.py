"""Addresses: test cases name a node by its id, or by `flow.node` where several flows have a node with that id."""

from collections.abc import Iterator

from msgspec import Struct

from engine.flow.node import Node, Reference, asks, type_name
from engine.flow.plan import Flow, PlannedNode
from engine.flow.registry import field_notes
from engine.problem import Problem, ProblemError, did_you_mean
from engine.project.project import Project


class Address(Struct, frozen=True):
    """A node of a flow, by the names of both."""

    flow: str
    node: str


class Addresses:
    """The nodes of a project, as seen from a test file; `home` is the file's flow, if it has one."""

    def __init__(self, project: Project, home: str | None) -> None:
        self._flows = {flow.name: flow for flow in project.flows}
        self._home = home

    def of(self, text: str) -> Address:
        """The address of the node that `text` names. Raises `ProblemError`."""
        flow, dot, id = text.rpartition(".")
        if dot:
            return self._in_flow(flow, id)
        flows = [flow.name for flow in self._flows.values() if text in flow.indexes]
        if self._home is not None and self._home in flows:
            return Address(self._home, text)
        if len(flows) == 1:
            return Address(flows[0], text)
        if flows:
            addresses = " or ".join(f"`{name}.{text}`" for name in flows)
            raise ProblemError(
                Problem(code="H424", message=f"{len(flows)} flows have a node `{text}`", help=f"write {addresses}")
            )
        home = self._flows.get(self._home or "")
        known = home.indexes if home else {id for flow in self._flows.values() for id in flow.indexes}
        raise _unknown("node", text, did_you_mean(text, known))

    def outside(self, text: str) -> Address:
        """The address of the node that `text` names, which sends requests to a target. Raises `ProblemError`."""
        address = self.of(text)
        node = self.node(address)
        if asks_outside(node.node):
            return address
        known = [id for id, flow in self._outside() if address.flow == flow.name]
        message = f"`{text}` is a `{type_name(node.node)}`, which makes no requests"
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
        """The ids and flows of all nodes that send requests."""
        for flow in self._flows.values():
            for node in flow.nodes:
                if asks_outside(node.node):
                    yield node.id, flow


def asks_outside(node: type[Node]) -> bool:
    """Whether nodes of this type send requests to a target, so that tests may mock them."""
    notes = (note for of_field in field_notes(node).values() for note in of_field)
    return any(isinstance(note, Reference) and note.kind == "target" for note in notes) and asks(node)


def _unknown(kind: str, name: str, help: str, where: str = "") -> ProblemError:
    return ProblemError(Problem(code="H421", message=f"there is no {kind} `{name}`{where}", help=help))
