"""The edges of a node: branches and targets under the keys of other tools, and nodes written where their id belongs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from engine.flow.node import Node, declared_ports
from engine.flow.node_draft import COMMON_KEYS, written_edges
from engine.flow.registry import Registry, node_fields
from engine.flow.reshaped import Reshaped, first_key, shown, without
from engine.problem import closest

CONDITION_KEYS: Final = ("condition", "conditions", "where", "filter", "only_if", "run_if", "unless", "expression")
NEXT_KEYS: Final = (
    "goto",
    "next_step",
    "next_node",
    "nextStep",
    "then_goto",
    "to",
    "on_success",
    "onSuccess",
    "success",
    "transition",
)
FAILURE_KEYS: Final = ("on_error", "on_failure", "onError", "onFailure", "on_fail", "catch", "fallback", "error")
BRANCHES: Final = ("then", "else")
ID_AS_VALUE: Final = ("id", "node", "to", "target", "goto", "step", "name")


class EdgeShape:
    """Puts the edges of a node into Headrace's shape."""

    def __init__(self, reshaped: Reshaped, registry: Registry) -> None:
        self._reshaped = reshaped
        self._registry = registry

    def reshape(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """The node `at` a key path of the document, with its edges under `next`."""
        for step in (self._misspelt, self._branches, self._inline, self._edges):
            node = step(node, at)
        return node

    def _branches(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`if: {condition: x, then: y}`, and nodes written below `then` and `else`."""
        raw = node.get("if")
        if isinstance(raw, Mapping):
            return self._mapped_if(node, raw, at)
        if isinstance(raw, list) or "if" not in node:
            return node
        bodies = [key for key in BRANCHES if key in node and not is_target(node[key])]
        if not bodies:
            return node
        help = "make its body a node of its own, and lead to it by its id: `next: {then: its_id}`"
        self._reshaped.add("H122", f"`{bodies[0]}` leads to a node, it does not hold one", (*at, bodies[0]), help=help)
        self._reshaped.unread.add(at[1])
        return without(node, *bodies)

    def _mapped_if(self, node: dict[str, Any], raw: Mapping[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        key = first_key(raw, (*CONDITION_KEYS, "if", "when", "test", "expr"))
        edges = {port: raw[port] for port in BRANCHES if port in raw}
        condition = raw[key] if key is not None else next(iter(raw), None)
        message = "a condition is a text such as `event.properties.total > 0`"
        targets = ", ".join(
            f"{port}: {shown(target) if is_target(target) else 'other_node'}" for port, target in edges.items()
        )
        help = f"write `if: {condition}` and beside it `next: {{{targets or 'then: other_node'}}}`"
        self._reshaped.add("H114", message, (*at, "if"), help=help)
        if not isinstance(condition, str) or not all(map(is_target, edges.values())) or key is None:
            self._reshaped.unread.add(at[1])
            return node
        self._reshaped.moved((*at, "if"), (*at, "if", key))
        self._reshaped.moved((*at, "next"), (*at, "if"))
        return {**node, "if": condition, **({"next": edges} if edges and "next" not in node else {})}

    def _edges(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`goto: x` and `on_error: x`, which are edges."""
        type = self._registry.type_in(node)
        for keys, port in ((NEXT_KEYS, ""), (FAILURE_KEYS, "failed")):
            key = first_key(node, keys)
            if key is None or self._registry.find(key) or type is None:
                continue
            if key in self._fields_of(type):
                message, help = f"`{key}` is a field of `{type}`, not a key of a node", f"write it below `{type}`"
                self._reshaped.add("H101", message, (*at, key), help=help)
                node = without(node, key)
                continue
            target = node[key]
            own = node.get("next")
            edges = _edges_of(own, self._registry.find(type))
            wanted = {**edges, "failed": target} if port else target
            example = "{failed: other_node}" if port else "other_node"
            example = shown(wanted) if is_ids(target) else example
            self._reshaped.add("H101", f"a node has no key `{key}`", (*at, key), help=f"write `next: {example}`")
            node = without(node, key)
            if not is_ids(target):
                self._reshaped.unread.add(at[1])
            elif port or own is None:
                for main in edges if own is not None and not isinstance(own, Mapping) else ():
                    self._reshaped.moved((*at, "next", main), (*at, "next"))
                self._reshaped.moved((*at, "next", port) if port else (*at, "next"), (*at, key))
                node["next"] = wanted
        return node

    def _fields_of(self, type: str) -> list[str]:
        found = self._registry.find(type)
        return [] if found is None else [info.encode_name for info in node_fields(found)]

    def _misspelt(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`nxt: x`, an edge that would be missing."""
        if "next" in node or self._registry.type_in(node) is None:
            return node
        keys = (key for key in node if key not in COMMON_KEYS and not self._registry.find(key))
        key = next((key for key in keys if closest(key, COMMON_KEYS) == "next" and is_ids(node[key])), None)
        if key is None:
            return node
        self._reshaped.add("H101", f"a node has no key `{key}`", (*at, key), help="did you mean `next`?")
        self._reshaped.moved((*at, "next"), (*at, key))
        return {**without(node, key), "next": node[key]}

    def _inline(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`next: {id: x}`, and a node written below `next`."""
        raw = node.get("next")
        if not isinstance(raw, Mapping):
            return node
        key = first_key(raw, ID_AS_VALUE)
        if len(raw) == 1 and key is not None and isinstance(raw[key], str):
            help = f"write `next: {raw[key]}`"
            self._reshaped.add("H103", "an edge leads to a node id", (*at, "next", key), help=help)
            self._reshaped.moved((*at, "next"), (*at, "next", key))
            return {**node, "next": raw[key]}
        bodies = [port for port, target in raw.items() if isinstance(target, Mapping)]
        if not bodies:
            return node
        help = "make it a node of its own, and lead to it by its id: `next: its_id`"
        self._reshaped.add("H103", "`next` leads to a node, it does not hold one", (*at, "next", bodies[0]), help=help)
        self._reshaped.unread.add(at[1])
        return without(node, "next")


def is_ids(raw: Any) -> bool:
    """Whether a value is written like a `next`: a target, or a map of targets by port."""
    return all(map(is_target, raw.values())) and raw != {} if isinstance(raw, Mapping) else is_target(raw)


def is_target(raw: Any) -> bool:
    """Whether a value is an id or a list of ids."""
    return isinstance(raw, str) or (isinstance(raw, list) and all(isinstance(item, str) for item in raw) and raw != [])


def ids(raw: Any) -> Iterator[str]:
    values: Iterable[Any] = raw.values() if isinstance(raw, Mapping) else raw if isinstance(raw, list) else [raw]
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, str))


def _edges_of(own: Any, node: type[Node] | None) -> dict[str, Any]:
    """The edges of a `next` by port, for a help text; a type without a main port gets one called `next`."""
    edges = written_edges(own, declared_ports(node) if node is not None else {})
    return edges or ({"next": own} if own else {})
