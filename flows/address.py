"""Addresses: test cases name a node by its id, or by `flow.node` where several flows have a node with that id.

A node in a loop has its id in all turns, and in one of them a name such as `lines[3].price`.
"""

import re
from collections.abc import Iterator

from msgspec import Struct, structs

from engine.flow.node import Node, Reference, asks, type_name
from engine.flow.plan import Flow, PlannedNode
from engine.flow.registry import field_notes
from engine.problem import Problem, ProblemError, did_you_mean
from engine.project.project import Project


class Address(Struct, frozen=True):
    """A node of a flow, by the names of both; of a node in a loop perhaps in one turn: `lines[3].price`."""

    flow: str
    node: str

    @property
    def id(self) -> str:
        """The id of the node."""
        return self.node.rpartition(".")[2]

    def includes(self, other: "Address") -> bool:
        """Whether the other one is the same node in any turn, or in the same turn."""
        return self == other or (self.flow, self.node) == (other.flow, other.id)


class Addresses:
    """The nodes of a project, as seen from a test file; `home` is the file's flow, if it has one."""

    def __init__(self, project: Project, home: str | None) -> None:
        self._flows = {flow.name: flow for flow in project.flows}
        self._home = home

    def of(self, text: str) -> Address:
        """The address of the node that `text` names. Raises `ProblemError`."""
        flow, turns, id = split_name(text)
        if turns:
            return self._in_turn(flow or self.of(id).flow, turns, id)
        if flow:
            return self._in_flow(flow, id)
        flows = [flow.name for flow in self._flows.values() if text in flow.all_nodes]
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
        known = home.all_nodes if home else {id for flow in self._flows.values() for id in flow.all_nodes}
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
        return flow.all_nodes[address.id]

    def _in_flow(self, name: str, id: str) -> Address:
        flow = self._flows.get(name)
        if flow is None:
            raise _unknown("flow", name, did_you_mean(name, self._flows))
        if id not in flow.all_nodes:
            raise _unknown("node", id, did_you_mean(id, flow.all_nodes), f" in the flow `{name}`")
        return Address(name, id)

    def _in_turn(self, name: str, turns: str, id: str) -> Address:
        address = self._in_flow(name, id)
        if (problem := turn_problem(self._flows[name], turns, id)) is not None:
            raise ProblemError(problem)
        return structs.replace(address, node=f"{turns}{id}")

    def _outside(self) -> Iterator[tuple[str, Flow]]:
        """The ids and flows of all nodes that send requests."""
        for flow in self._flows.values():
            for node in flow.all_nodes.values():
                if asks_outside(node.node):
                    yield node.id, flow


def split_name(text: str) -> tuple[str, str, str]:
    """Return the parts of `flow.lines[3].price`: the flow, the turns `lines[3].`, and the id.

    The first two may be empty.
    """
    match = _NAME.fullmatch(text)
    return (match["flow"] or "", match["turns"], match["id"]) if match else ("", "", text)


def turn_problem(flow: Flow, turns: str, id: str) -> Problem | None:
    """The problem of a name of node `id` with these turns, or None."""
    around = flow.loops_around(id)
    if tuple(_TURN.findall(turns)) == around:
        return None
    name = "".join([f"{loop}[0]." for loop in around]) + id
    message = f"`{id}` is in the loop `{around[-1]}`, which has turns" if around else f"`{id}` is in no loop"
    return Problem(code="H421", message=message, help=f"write `{name}`" + (" for its first turn" if around else ""))


_TURN = re.compile(r"([^.\[\]]+)\[\d+\]\.")
_NAME = re.compile(r"(?:(?P<flow>[^.\[\]]+)\.)?(?P<turns>(?:[^.\[\]]+\[\d+\]\.)*)(?P<id>[^.\[\]]+)")


def asks_outside(node: type[Node]) -> bool:
    """Whether nodes of this type send requests to a target, so that tests may mock them."""
    notes = (note for of_field in field_notes(node).values() for note in of_field)
    return any(isinstance(note, Reference) and note.kind == "target" for note in notes) and asks(node)


def _unknown(kind: str, name: str, help: str, where: str = "") -> ProblemError:
    return ProblemError(Problem(code="H421", message=f"there is no {kind} `{name}`{where}", help=help))
