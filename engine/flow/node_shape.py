"""The shape of a flow's nodes as a whole: a list in place of a map, and keys of a node at the level of its id."""

import re
from collections.abc import Mapping
from typing import Any

from engine.flow.node_draft import COMMON_KEYS, NODE_ID
from engine.flow.node_edge_shape import ID_AS_VALUE, NEXT_KEYS, EdgeShape, ids, is_ids
from engine.flow.node_type_shape import BEFORE_KEYS, ID_KEYS, PATH_KEYS, TypeShape
from engine.flow.registry import Registry
from engine.flow.reshaped import NOT_INDENTED, Reshaped, first_key, without
from engine.problem import KeyPath

_NOT_IN_ID = re.compile(r"[^a-z0-9_]+")


class NodeShape:
    """Puts the nodes of a document into Headrace's shape, one after the other."""

    def __init__(self, reshaped: Reshaped, registry: Registry) -> None:
        self._reshaped = reshaped
        self._registry = registry
        self._nodes: dict[str, Any] = {}

    def reshape(self) -> None:
        """Reshape all nodes. Leaves the document as it is when all of them have Headrace's shape."""
        raw = self._reshaped.document.get("nodes")
        if isinstance(raw, list):
            raw = self._map_of(raw)
        if not isinstance(raw, Mapping):
            return
        self._nodes = {str(id): node for id, node in raw.items()}
        self._indent_keys()
        for id in list(self._nodes):
            node = self._nodes[id]
            if isinstance(node, Mapping) and self._differs(node):
                self._nodes[id] = self._node(id, dict(node))
        if self._reshaped.problems:
            self._reshaped.document = {**self._reshaped.document, "nodes": self._nodes}

    def _differs(self, node: Mapping[str, Any]) -> bool:
        """Whether a node may have another shape: an unknown key, several types, keys of a node below its type, …"""
        types = [key for key in node if key not in COMMON_KEYS]
        if len(types) != 1:
            return True
        type = self._registry.find(types[0])
        if type is None:
            return True
        if isinstance(node.get("next"), Mapping) and not is_ids(node["next"]):
            return True
        if isinstance(node.get("next"), Mapping) and first_key(node["next"], ID_AS_VALUE):
            return True
        config = node[types[0]]
        if not isinstance(config, Mapping):
            return False
        return types[0] == "if" or not config.keys().isdisjoint(COMMON_KEYS) or not config.keys().isdisjoint(PATH_KEYS)

    def _map_of(self, items: list[Any]) -> dict[str, Any] | None:
        """The nodes of a list, joined in their order unless one has a `next`; None when an item is no map."""
        if not items or not all(isinstance(item, Mapping) and item for item in items):
            return None
        origin = self._reshaped.written(("nodes",))
        nodes: dict[str, Any] = {}
        for index, item in enumerate(items):
            id, node, below = self._item(item, index)
            nodes[id] = node
            self._reshaped.origins[("nodes", id)] = (*origin, index, *below)
        first, second = [*nodes, "other"][:2]
        if origin == ("nodes",):
            help = f"write `{first}: {{…}}` for each, without a dash, and lead from one to the next: `next: {second}`"
            self._reshaped.problems.add("H103", "`nodes` is a map from node id to node, not a list", origin, help=help)
        ways = (*NEXT_KEYS, *BEFORE_KEYS, "next", "then")
        if not any(isinstance(node, Mapping) and first_key(node, ways) for node in nodes.values()):
            ids = list(nodes)
            nodes = {id: _leading(nodes[id], after) for id, after in zip(ids, [*ids[1:], None], strict=True)}
        return nodes

    def _item(self, item: Mapping[str, Any], index: int) -> tuple[str, Any, KeyPath]:
        """The id and the node of an item, and the key path of the node within the item."""
        (key, value), *others = item.items()
        if not others and isinstance(value, Mapping) and self._registry.find(key) is None and NODE_ID.fullmatch(key):
            return key, value, (key,)
        id_key = first_key(item, ID_KEYS)
        written = str(item[id_key]) if id_key is not None else f"node_{index + 1}"
        id = _NOT_IN_ID.sub("_", written.lower()).strip("_") or "node"
        id = f"n{id}" if id[:1].isdigit() else id
        return id, without(item, *((id_key,) if id_key is not None else ())), ()

    def _indent_keys(self) -> None:
        """Move keys of a node that are written at the level of the node's id into it."""
        owner: str | None = None
        for id in list(self._nodes):
            is_type = self._registry.find(id) is not None
            if self._registry.is_node(self._nodes[id]) or (not is_type and id not in COMMON_KEYS):
                owner = id
                continue
            if owner is None:
                continue
            node = self._nodes[owner]
            into = {} if node is None else node
            if not isinstance(into, Mapping) or id in into or (is_type and node is not None):
                owner = None
                continue
            if not any(problem.code == NOT_INDENTED for problem in self._reshaped.problems):
                message, help = (
                    f"`{id}` is not indented, so not part of node `{owner}`",
                    "put two spaces before this line",
                )
                self._reshaped.add(NOT_INDENTED, message, ("nodes", id), help=help)
            self._reshaped.moved(("nodes", owner, id), ("nodes", id))
            self._nodes[owner] = {**into, id: self._nodes.pop(id)}

    def _node(self, id: str, node: dict[str, Any]) -> dict[str, Any]:
        at = ("nodes", id)
        node = TypeShape(self._reshaped, self._registry, self._nodes).reshape(node, at)
        node = EdgeShape(self._reshaped, self._registry).reshape(node, at)
        self._before(node, id)
        return without(node, *BEFORE_KEYS)

    def _before(self, node: Mapping[str, Any], id: str) -> None:
        """`needs: x`: the edge is written at the other node."""
        key = first_key(node, BEFORE_KEYS)
        if key is None or self._registry.find(key):
            return
        sources = [source for source in ids(node[key]) if isinstance(self._nodes.get(source), Mapping)]
        where = f" in `{sources[0]}`" if sources else " in the node before"
        self._reshaped.add("H101", f"a node has no key `{key}`", ("nodes", id, key), help=f"write `next: {id}`{where}")
        for source in sources:
            if "next" not in self._nodes[source]:
                self._nodes[source] = {**self._nodes[source], "next": id}


def _leading(node: Any, after: str | None) -> Any:
    """A copy of a node that leads to the next one of its list."""
    if after is None or not isinstance(node, Mapping):
        return node
    types = [key for key in node if key not in COMMON_KEYS]
    port = {"if": "then", "switch": "default"}.get(types[0] if len(types) == 1 else "")
    return {**node, "next": after if port is None else {port: after}}
