"""The shape of a flow's nodes: a list in place of a map, types as values, keys at another level or of another name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import fields

from engine.flow.node import Keys, Node, declared_ports
from engine.flow.node_draft import COMMON_KEYS, NODE_ID
from engine.flow.registry import Registry, field_notes, sole_field
from engine.flow.reshaped import BELOW_TYPE, NOT_INDENTED, TYPE_AS_VALUE, Reshaped, first_key, shown, without
from engine.flow.workarounds import NODE_WORKAROUNDS
from engine.problem import KeyPath, closest

_ID_KEYS: Final = ("id", "name", "key", "node", "label", "alias", "step", "title")
_TYPE_KEYS: Final = ("type", "uses", "action", "service", "kind", "plugin", "module", "operation", "call", "task")
_CONFIG_KEYS: Final = (
    "config",
    "with",
    "params",
    "parameters",
    "args",
    "arguments",
    "inputs",
    "input",
    "properties",
    "options",
    "settings",
    "data",
    "spec",
    "values",
)
_CONDITION_KEYS: Final = ("condition", "conditions", "where", "filter", "only_if", "run_if", "unless", "expression")
_NEXT_KEYS: Final = (
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
_FAILURE_KEYS: Final = ("on_error", "on_failure", "onError", "onFailure", "on_fail", "catch", "fallback", "error")
_PATH_KEYS: Final = ("key", "path", "field", "property", "name", "trait", "attribute", "counter")
_VALUE_KEYS: Final = ("value", "to", "amount", "by", "with", "element", "item", "increment")
_BEFORE_KEYS: Final = ("depends_on", "dependsOn", "needs", "after", "requires", "runAfter")
_OPEN: Final = frozenset({"let", "respond", "switch"})  # their keys are names that the author chooses
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
        """Whether a node has an unknown key, several types, or keys of a node below its type."""
        types = [key for key in node if key not in COMMON_KEYS]
        if len(types) != 1:
            return True
        type = self._registry.find(types[0])
        if type is None:
            return True
        config = node[types[0]]
        if not isinstance(config, Mapping):
            return False
        return types[0] == "if" or not config.keys().isdisjoint(COMMON_KEYS) or not config.keys().isdisjoint(_PATH_KEYS)

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
        ways = (*_NEXT_KEYS, *_BEFORE_KEYS, "next", "then")
        if not any(isinstance(node, Mapping) and first_key(node, ways) for node in nodes.values()):
            ids = list(nodes)
            nodes = {id: _leading(nodes[id], after) for id, after in zip(ids, [*ids[1:], None], strict=True)}
        return nodes

    def _item(self, item: Mapping[str, Any], index: int) -> tuple[str, Any, KeyPath]:
        """The id and the node of an item, and the key path of the node within the item."""
        (key, value), *others = item.items()
        if not others and isinstance(value, Mapping) and self._registry.find(key) is None and NODE_ID.fullmatch(key):
            return key, value, (key,)
        id_key = first_key(item, _ID_KEYS)
        written = str(item[id_key]) if id_key is not None else f"node_{index + 1}"
        id = _NOT_IN_ID.sub("_", written.lower()).strip("_") or "node"
        id = f"n{id}" if id[:1].isdigit() else id
        return id, without(item, *((id_key,) if id_key is not None else ())), ()

    def _indent_keys(self) -> None:
        """Move keys of a node that are written at the level of the node's id into it."""
        owner: str | None = None
        for id in list(self._nodes):
            is_type = self._registry.find(id) is not None
            if not is_type and id not in COMMON_KEYS:
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
        node = self._typed(node, at)
        for reshape in (self._condition, self._branches, self._edges, self._below_type, self._path_as_value):
            node = reshape(node, at)
        self._before(node, id)
        return without(node, *_BEFORE_KEYS)

    def _type_of(self, node: Mapping[str, Any]) -> str | None:
        """The type's name when the node has exactly one."""
        types = [key for key in node if self._registry.find(key)]
        return types[0] if len(types) == 1 else None

    def _typed(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`type: x` with `config: …`, or with the fields beside it."""
        if any(self._registry.find(key) for key in node):
            return node
        config_key = first_key(node, _CONFIG_KEYS)
        names = (key for key in _TYPE_KEYS if isinstance(node.get(key), str))
        key = next((key for key in names if key == "type" or config_key or self._registry.find(node[key])), None)
        if key is None:
            return node
        type = node[key]
        common = {name: value for name, value in node.items() if name in (*COMMON_KEYS, *_NEXT_KEYS, *_FAILURE_KEYS)}
        fields = without(node, key, *common, *_ID_KEYS, *_BEFORE_KEYS)
        config = node[config_key] if config_key is not None else fields or None
        found = self._registry.find(type)
        if found is None:
            message = f"a node's type is its key, and there is no type `{type[:_LONGEST_TYPE]}`"
            self._reshaped.add(TYPE_AS_VALUE, message, (*at, key), help=self._similar(type))
            self._reshaped.unread.add(at[1])
            return common
        message = f"a node's type is its key, not the value of `{key}`"
        help = f"write `{type}: {'{…}' if config is None else shown(config)}`"
        self._reshaped.add(TYPE_AS_VALUE, message, (*at, key), help=help)
        self._reshaped.origins[(*at, type)] = self._reshaped.written((*at, config_key or key))
        for name in fields if config_key is None else ():
            self._reshaped.moved((*at, type, name), (*at, name))
        only_sole = isinstance(config, Mapping) and list(config) == [sole_field(found)]
        return {**common, type: next(iter(config.values())) if only_sole and config else config}

    def _similar(self, type: str) -> str:
        """The help for an unknown type: a workaround by its last word, or a type of a similar name."""
        near = closest(type, self._registry.names())
        workaround = NODE_WORKAROUNDS.get(type) or NODE_WORKAROUNDS.get(re.split(r"[.:/@]", type.lower())[-1])
        return f"write `{near}: {{…}}`" if near else workaround or "`headrace nodes` lists the types"

    def _condition(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """A condition under the key of another tool, or `if` beside a type."""
        type = self._type_of(node)
        others = [key for key in node if key != "if" and self._registry.find(key)]
        if "if" in node and len(others) == 1 and "when" not in node:
            help = "write `when: …` in place of `if: …`; a node of its own is needed only to branch"
            self._reshaped.add("H112", f"node `{at[1]}` has two types: `if` and `{others[0]}`", (*at, "if"), help=help)
            return self._renamed(node, at, "if", "when")
        key = first_key(node, _CONDITION_KEYS)
        if key is None or isinstance(node[key], Mapping | list) or self._registry.find(key):
            return node
        if type is not None and "when" not in node:
            self._reshaped.add("H101", f"a node has no key `{key}`", (*at, key), help="write `when: …`")
            return self._renamed(node, at, key, "when")
        if type is None and not any(
            other not in COMMON_KEYS and other not in _BRANCHES for other in without(node, key)
        ):
            self._reshaped.add("H111", f"unknown node type `{key}`", (*at, key), help="write `if: …`")
            return self._renamed(node, at, key, "if")
        return node

    def _renamed(self, node: Mapping[str, Any], at: tuple[str, str], old: str, new: str) -> dict[str, Any]:
        self._reshaped.moved((*at, new), (*at, old))
        return {new if key == old else key: value for key, value in node.items()}

    def _branches(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`if: {condition: x, then: y}`, and nodes written below `then` and `else`."""
        raw = node.get("if")
        if isinstance(raw, Mapping):
            return self._mapped_if(node, raw, at)
        if isinstance(raw, list) or "if" not in node:
            return node
        bodies = [key for key in _BRANCHES if key in node and not _is_target(node[key])]
        if not bodies:
            return node
        help = "make its body a node of its own, and lead to it by its id: `next: {then: its_id}`"
        self._reshaped.add("H122", f"`{bodies[0]}` leads to a node, it does not hold one", (*at, bodies[0]), help=help)
        self._reshaped.unread.add(at[1])
        return without(node, *bodies)

    def _mapped_if(self, node: dict[str, Any], raw: Mapping[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        key = first_key(raw, (*_CONDITION_KEYS, "if", "when", "test", "expr"))
        edges = {port: raw[port] for port in _BRANCHES if port in raw}
        condition = raw[key] if key is not None else next(iter(raw), None)
        message = "a condition is a text such as `event.properties.total > 0`"
        targets = ", ".join(
            f"{port}: {shown(target) if _is_target(target) else 'other_node'}" for port, target in edges.items()
        )
        help = f"write `if: {condition}` and beside it `next: {{{targets or 'then: other_node'}}}`"
        self._reshaped.add("H114", message, (*at, "if"), help=help)
        if not isinstance(condition, str) or not all(map(_is_target, edges.values())) or key is None:
            self._reshaped.unread.add(at[1])
            return node
        self._reshaped.moved((*at, "if"), (*at, "if", key))
        self._reshaped.moved((*at, "next"), (*at, "if"))
        return {**node, "if": condition, **({"next": edges} if edges and "next" not in node else {})}

    def _edges(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`goto: x` and `on_error: x`, which are edges."""
        type = self._type_of(node)
        for keys, port in ((_NEXT_KEYS, ""), (_FAILURE_KEYS, "failed")):
            key = first_key(node, keys)
            if key is None or self._registry.find(key) or type is None:
                continue
            target = node[key]
            own = node.get("next")
            edges = _edges_of(own, type, self._registry)
            wanted = {**edges, "failed": target} if port else target
            example = "{failed: other_node}" if port else "other_node"
            example = shown(wanted) if _is_ids(target) else example
            self._reshaped.add("H101", f"a node has no key `{key}`", (*at, key), help=f"write `next: {example}`")
            node = without(node, key)
            if not _is_ids(target):
                self._reshaped.unread.add(at[1])
            elif port or own is None:
                self._reshaped.moved((*at, "next", port) if port else (*at, "next"), (*at, key))
                node["next"] = wanted
        return node

    def _below_type(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`next` and other keys of a node that are written below its type."""
        name = self._type_of(node)
        config = node.get(name) if name is not None else None
        if name is None or not isinstance(config, Mapping):
            return node
        moved = [key for key in config if key in COMMON_KEYS and self._misplaced(key, config[key], name, node)]
        for key in moved:
            message = f"`{key}` is a key of the node, not of `{name}`"
            self._reshaped.add(BELOW_TYPE, message, (*at, name, key), help=f"indent it as `{name}`")
            self._reshaped.moved((*at, key), (*at, name, key))
        if not moved:
            return node
        rest = without(config, *moved)
        return {**node, name: rest or None, **{key: config[key] for key in moved}}

    def _path_as_value(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`profile.set: {key: traits.tier, value: gold}`, where the path is to be the key."""
        name = self._type_of(node)
        config = node.get(name) if name is not None else None
        if name is None or name in _OPEN or not isinstance(config, Mapping) or len(config) != 2:
            return node
        key, value = first_key(config, _PATH_KEYS), first_key(config, _VALUE_KEYS)
        type = self._registry.find(name)
        if key is None or value is None or not isinstance(config[key], str) or type is None:
            return node
        sole = sole_field(type)
        if sole is None or not any(isinstance(note, Keys) for note in field_notes(type)[sole]):
            return node
        path = config[key]
        message = f"`{name}` takes the path as a key, not as the value of `{key}`"
        help = f"write `{name}: {{{path}: {shown(config[value])}}}`"
        self._reshaped.add(TYPE_AS_VALUE, message, (*at, name, key), help=help)
        self._reshaped.moved((*at, name, path), (*at, name, value))
        return {**node, name: {path: config[value]}}

    def _misplaced(self, key: str, value: Any, name: str, node: Mapping[str, Any]) -> bool:
        type = self._registry.find(name)
        if type is None or key in node or key in _field_names(type):
            return False
        if name not in _OPEN:
            return True
        return key == "next" and _is_ids(value) and not self._is_named(value)

    def _is_named(self, value: Any) -> bool:
        """Whether some id in `value` is no node, or is reached by an edge of another node: then it is a plain value."""
        ids = value if isinstance(value, list) else list(value.values()) if isinstance(value, Mapping) else [value]
        named = {id for node in self._nodes.values() if isinstance(node, Mapping) for id in _ids(node.get("next"))}
        return any(id not in self._nodes or id in named for id in _ids(ids))

    def _before(self, node: Mapping[str, Any], id: str) -> None:
        """`needs: x`: the edge is written at the other node."""
        key = first_key(node, _BEFORE_KEYS)
        if key is None or self._registry.find(key):
            return
        sources = [source for source in _ids(node[key]) if isinstance(self._nodes.get(source), Mapping)]
        where = f" in `{sources[0]}`" if sources else " in the node before"
        self._reshaped.add("H101", f"a node has no key `{key}`", ("nodes", id, key), help=f"write `next: {id}`{where}")
        for source in sources:
            if "next" not in self._nodes[source]:
                self._nodes[source] = {**self._nodes[source], "next": id}


_BRANCHES: Final = ("then", "else")
_LONGEST_TYPE: Final = 60


def _field_names(type: type[Node]) -> set[str]:
    return {info.name for info in fields(type)}


def _edges_of(own: Any, type: str, registry: Registry) -> dict[str, Any]:
    """The edges of a `next` by port; a plain one leads from the main ports."""
    if own is None or isinstance(own, Mapping):
        return dict(own or {})
    node = registry.find(type)
    main = [port.name for port in declared_ports(node).values() if port.main] if node is not None else []
    return dict.fromkeys(main or ["next"], own)


def _is_ids(raw: Any) -> bool:
    """Whether a value is written like a `next`: a target, or a map of targets by port."""
    return all(map(_is_target, raw.values())) and raw != {} if isinstance(raw, Mapping) else _is_target(raw)


def _is_target(raw: Any) -> bool:
    """Whether a value is an id or a list of ids."""
    return isinstance(raw, str) or (isinstance(raw, list) and all(isinstance(item, str) for item in raw) and raw != [])


def _ids(raw: Any) -> Iterator[str]:
    values: Iterable[Any] = raw.values() if isinstance(raw, Mapping) else raw if isinstance(raw, list) else [raw]
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, str))


def _leading(node: Any, after: str | None) -> Any:
    """A copy of a node that leads to the next one of its list."""
    if after is None or not isinstance(node, Mapping):
        return node
    return {**node, "next": {"then": after} if "if" in node else {"default": after} if "switch" in node else after}
