"""The type of a node and its fields: types and paths as values, and keys at another level or of another name."""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import fields

from engine.flow.node import Keys, Node, declared_ports
from engine.flow.node_draft import COMMON_KEYS
from engine.flow.node_edge_shape import BRANCHES, CONDITION_KEYS, FAILURE_KEYS, NEXT_KEYS, ids, is_ids
from engine.flow.registry import Registry, field_notes, sole_field
from engine.flow.reshaped import BELOW_TYPE, NOT_INDENTED, TYPE_AS_VALUE, Reshaped, first_key, shown, without
from engine.flow.workarounds import NODE_WORKAROUNDS
from engine.problem import closest

BEFORE_KEYS: Final = ("depends_on", "dependsOn", "needs", "after", "requires", "runAfter")
ID_KEYS: Final = ("id", "name", "key", "node", "label", "alias", "step", "title")
PATH_KEYS: Final = ("key", "path", "field", "property", "name", "trait", "attribute", "counter")
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
_VALUE_KEYS: Final = ("value", "to", "amount", "by", "with", "element", "item", "increment")
_OPEN: Final = frozenset({"let", "respond", "switch", "consent.set", "profile.count"})  # authors choose their keys
_LONGEST_TYPE: Final = 60


class TypeShape:
    """Puts the type of a node and its fields into Headrace's shape. `nodes` are all nodes of the flow by id."""

    def __init__(self, reshaped: Reshaped, registry: Registry, nodes: Mapping[str, Any]) -> None:
        self._reshaped = reshaped
        self._registry = registry
        self._nodes = nodes

    def reshape(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """The node `at` a key path of the document, with its type as a key and its fields below."""
        for step in (self._body, self._nested, self._typed, self._condition, self._below_type, self._path_as_value):
            node = step(node, at)
        return node

    def _body(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """Move lines below an empty type, `next` or `retry` into it when they are not indented."""
        type = self._registry.type_in(node)
        for owner in [key for key in node if node[key] is None and key in (type, "next", "retry")]:
            names = list(node)
            body: list[str] = []
            for name in names[names.index(owner) + 1 :]:
                if name == type or name in COMMON_KEYS or (owner == type and closest(name, COMMON_KEYS)):
                    break
                body.append(name)
            if not body or (owner == "next" and type is not None and not self._are_ports(body, node, type)):
                continue
            shown_names = ", ".join(f"`{name}`" for name in body)
            message = f"{shown_names} {'is' if len(body) == 1 else 'are'} not indented, so not part of `{owner}`"
            help = f"put two spaces before {'this line' if len(body) == 1 else 'each of these lines'}"
            self._reshaped.add(NOT_INDENTED, message, (*at, body[0]), help=help)
            for name in body:
                self._reshaped.moved((*at, owner, name), (*at, name))
            node = {**without(node, *body), owner: {name: node[name] for name in body}}
        return node

    def _nested(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`profile: {set: …}`, a type in two levels."""
        types = [key for key in node if key not in COMMON_KEYS]
        inner = node[types[0]] if len(types) == 1 else None
        if not isinstance(inner, Mapping) or len(inner) != 1:
            return node
        family, (name, config) = types[0], next(iter(inner.items()))
        type = f"{family}.{name}"
        if self._registry.find(family) or not self._registry.find(type):
            return node
        self._reshaped.add("H111", f"unknown node type `{family}`", (*at, family), help=f"write `{type}: …`")
        self._reshaped.moved((*at, type), (*at, family, name))
        return {type if key == family else key: config if key == family else value for key, value in node.items()}

    def _are_ports(self, names: list[str], node: Mapping[str, Any], type: str) -> bool:
        found = self._registry.find(type)
        if found is None:
            return False
        config = node[type] if isinstance(node[type], Mapping) else {}
        return all(name in declared_ports(found) or name in found.own_ports(config) for name in names)

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
        common = {name: value for name, value in node.items() if name in (*COMMON_KEYS, *NEXT_KEYS, *FAILURE_KEYS)}
        fields = without(node, key, *common, *ID_KEYS, *BEFORE_KEYS)
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
        type = self._registry.type_in(node)
        others = [key for key in node if key != "if" and self._registry.find(key)]
        if "if" in node and len(others) == 1 and "when" not in node:
            target = node.get("then")
            leads = isinstance(target, str) and "next" not in node
            help = "write `when: …` in place of `if: …`" + (f", and `next: {target}`" if leads else "")
            help += "; a node of its own is needed only to branch"
            self._reshaped.add("H112", f"node `{at[1]}` has two types: `if` and `{others[0]}`", (*at, "if"), help=help)
            node = self._renamed(without(node, *BRANCHES), at, "if", "when")
            if leads:
                self._reshaped.moved((*at, "next"), (*at, "then"))
            return {**node, "next": target} if leads else node
        key = first_key(node, CONDITION_KEYS)
        if key is None or isinstance(node[key], Mapping | list) or self._registry.find(key):
            return node
        if type is not None and "when" not in node:
            self._reshaped.add("H101", f"a node has no key `{key}`", (*at, key), help="write `when: …`")
            return self._renamed(node, at, key, "when")
        if type is None and not any(other not in COMMON_KEYS and other not in BRANCHES for other in without(node, key)):
            self._reshaped.add("H111", f"unknown node type `{key}`", (*at, key), help="write `if: …`")
            return self._renamed(node, at, key, "if")
        return node

    def _renamed(self, node: Mapping[str, Any], at: tuple[str, str], old: str, new: str) -> dict[str, Any]:
        self._reshaped.moved((*at, new), (*at, old))
        return {new if key == old else key: value for key, value in node.items()}

    def _below_type(self, node: dict[str, Any], at: tuple[str, str]) -> dict[str, Any]:
        """`next` and other keys of a node that are written below its type."""
        name = self._registry.type_in(node)
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
        name = self._registry.type_in(node)
        config = node.get(name) if name is not None else None
        if name is None or name in _OPEN or not isinstance(config, Mapping) or len(config) != 2:
            return node
        key, value = first_key(config, PATH_KEYS), first_key(config, _VALUE_KEYS)
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
        return key == "next" and is_ids(value) and not self._is_named(value)

    def _is_named(self, value: Any) -> bool:
        """Whether some id in `value` is no node, or is reached by an edge of another node: then it is a plain value."""
        named = {id for node in self._nodes.values() if isinstance(node, Mapping) for id in ids(node.get("next"))}
        return any(id not in self._nodes or id in named for id in ids(value))


def _field_names(node: type[Node]) -> set[str]:
    return {info.name for info in fields(node)}
