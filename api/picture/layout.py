"""The picture of a flow: where its nodes and edges are. `picture` is the only place that calls graphlay.

It is made from the compiled plan by ports alone, so a new node type needs no line here. Between two nodes there is one
edge, with all ports that lead from one to the other. The nodes of a loop's body hang below the loop.
"""

from collections import OrderedDict
from typing import Final

import graphlay
from msgspec import Struct

from engine.flow.node import type_name
from engine.flow.plan import Flow, PlannedNode

MAX_NODES: Final = 150  # more cannot be read, and take seconds to lay out
NODE_HEIGHT: Final = 46.0
END: Final = "\0end"  # the id of the mark behind a port that leads nowhere; no node has it
EACH: Final = "each item"  # the port by which a loop leads to its body
_NAME_WIDTH, _TYPE_WIDTH, _PORT_WIDTH = 7.6, 6.7, 7.0  # px of a character, at the sizes of the stylesheet
_LABEL_HEIGHT = 16.0
_KEPT = 256  # pictures
_OPTIONS: Final = {"direction": "topbottom", "spacing": {"layer_gap": 46.0, "node_gap": 32.0}}

Point = tuple[float, float]


class PicturedNode(Struct, frozen=True):
    """A node, with its centre and size in px. `id` is as in traces; nodes of a loop's body are named below the loop."""

    id: str
    type: str
    line: int
    x: float
    y: float
    width: float
    height: float


class PicturedEdge(Struct, frozen=True):
    """An edge, with the points of its line from the source's border to the target's, and the centre of its label."""

    source: str
    target: str
    ports: tuple[str, ...]
    points: tuple[Point, ...]
    label: Point | None

    @property
    def text(self) -> str:
        """The ports of the edge, as its label shows them."""
        return label_of(self.ports)


class Picture(Struct, frozen=True):
    """A flow's nodes and edges in px. `left`, `top`, `width` and `height` are of the box that has all of them."""

    flow: str
    version: str
    nodes: tuple[PicturedNode, ...]
    edges: tuple[PicturedEdge, ...]
    left: float
    top: float
    width: float
    height: float


class TooManyNodes(Exception):
    """The flow has more nodes than a picture shows."""

    def __init__(self, flow: str, count: int) -> None:
        super().__init__(f"`{flow}` has {count} nodes, and a picture shows at most {MAX_NODES}")


_pictures: OrderedDict[tuple[str, str, tuple[str, str] | None], Picture] = OrderedDict()


def picture(flow: Flow, end: tuple[str, str] | None = None) -> Picture:
    """Lay out a flow, from top to bottom. `end` is a node and its port that leads nowhere, to be marked.

    The same version of a flow has the same picture each time. Raises `TooManyNodes`.
    """
    key = (flow.name, flow.version, end)
    known = _pictures.get(key)
    if known is None:
        known = _pictures[key] = _laid_out(flow, end)
        if len(_pictures) > _KEPT:
            _pictures.popitem(last=False)
    else:
        _pictures.move_to_end(key)
    return known


def label_of(ports: tuple[str, ...]) -> str:
    """Return the label of an edge; that of the port `done` alone is empty."""
    return "" if ports == ("done",) else " · ".join(ports)


def _laid_out(flow: Flow, end: tuple[str, str] | None) -> Picture:
    nodes = dict(_nodes(flow))
    if len(nodes) > MAX_NODES:
        raise TooManyNodes(flow.name, len(nodes))
    edges = list(_edges(flow))
    graph = graphlay.Graph()
    for id, node in nodes.items():
        graph.node(id, width=_width(id, type_name(node.node)), height=NODE_HEIGHT)
    if end is not None and end[0] in nodes:
        graph.node(END, width=26.0, height=26.0)
        edges.append((end[0], END, (end[1],)))
    for source, target, ports in edges:
        text = label_of(ports)
        if text:
            graph.edge(source, target, label_size={"width": len(text) * _PORT_WIDTH + 8, "height": _LABEL_HEIGHT})
        else:
            graph.edge(source, target)
    laid = graphlay.layout(graph, options=_OPTIONS)
    bounds = laid.bounds
    places = dict(zip(graph.ids, laid.nodes, strict=True))
    pictured = [_pictured(id, nodes.get(id), place) for id, place in places.items()]
    return Picture(
        flow=flow.name,
        version=flow.version,
        nodes=tuple(pictured),
        edges=tuple([_pictured_edge(*edge, line) for edge, line in zip(edges, laid.edges, strict=True)]),
        left=bounds["min"]["x"],
        top=bounds["min"]["y"],
        width=bounds["max"]["x"] - bounds["min"]["x"],
        height=bounds["max"]["y"] - bounds["min"]["y"],
    )


def _nodes(flow: Flow, prefix: str = "") -> list[tuple[str, PlannedNode]]:
    found: list[tuple[str, PlannedNode]] = []
    for node in flow.nodes:
        id = f"{prefix}{node.id}"
        found.append((id, node))
        if node.body is not None:
            found += _nodes(node.body.flow, f"{id}.")
    return found


def _edges(flow: Flow, prefix: str = "") -> list[tuple[str, str, tuple[str, ...]]]:
    """The edges of a flow, one for each pair of nodes; their ports are in the order of the node type."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for node in flow.nodes:
        ports: dict[int, list[str]] = {}
        for port, targets in node.outs.items():
            for target in targets:
                ports.setdefault(target, []).append(port)
        found += [
            (f"{prefix}{node.id}", f"{prefix}{flow.nodes[target].id}", tuple(names)) for target, names in ports.items()
        ]
        if node.body is not None:
            inner = f"{prefix}{node.id}."
            body = node.body.flow
            found += [(f"{prefix}{node.id}", f"{inner}{body.nodes[start].id}", (EACH,)) for start in body.starts]
            found += _edges(body, inner)
    return found


def _width(id: str, type: str) -> float:
    return max(84.0, len(id) * _NAME_WIDTH + 28, len(type) * _TYPE_WIDTH + 28)


def _pictured(id: str, node: PlannedNode | None, place: dict[str, dict[str, float]]) -> PicturedNode:
    return PicturedNode(
        id=id,
        type=type_name(node.node) if node is not None else "",
        line=node.line if node is not None else 0,
        x=place["center"]["x"],
        y=place["center"]["y"],
        width=place["size"]["width"],
        height=place["size"]["height"],
    )


def _pictured_edge(source: str, target: str, ports: tuple[str, ...], line: dict[str, object]) -> PicturedEdge:
    points, anchor = line["points"], line["label_anchor"]
    assert isinstance(points, list)  # noqa: S101
    return PicturedEdge(
        source=source,
        target=target,
        ports=ports,
        points=tuple([(point["x"], point["y"]) for point in points]),
        label=(anchor["x"], anchor["y"]) if isinstance(anchor, dict) else None,
    )
