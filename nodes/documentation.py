"""The documentation of node types in Markdown, made from their docstrings, fields, ports and examples."""

from collections.abc import Iterable, Iterator
from inspect import getdoc
from typing import Any

import msgspec
from msgspec import inspect as shape

from engine.flow.field_types import map_value_notes
from engine.flow.node import (
    Body,
    ConsentNames,
    Counters,
    Escaped,
    Fixed,
    IsCondition,
    IsDuration,
    Keys,
    Node,
    PercentEncoded,
    Port,
    Reference,
    Sole,
    Verbatim,
    asks,
    declared_ports,
    type_name,
)
from engine.flow.registry import Registry, field_notes

_NOUNS = {"signed-target": "a target with a `secret`", "mail-target": "a target that is a mail server"}

INTRO = """\
# Node types

This page is made from the code by `python docs/generate.py`.

A node of a flow has an id, one key that is its type, and keys that are common to all nodes (`next`, `when`, `join`, …).
Values may be templates (`"{{ event.properties.total }}"`) unless the table says *no templates*; a scalar is a text, a
number, true or false. A plain `next: x` wires the ports marked *main*. Every type also has the ports `failed` (a value
is absent, a limit is exceeded, or no answer has come) and `skipped` (its `when` is false, a consent is missing, or it
is disabled).
"""


def page(registry: Registry) -> str:
    """The page of all node types of the registry."""
    contents = "\n".join(
        f"| [`{type_name(node)}`](#{_anchor(type_name(node))}) | {_summary(node)} |" for node in registry
    )
    return "\n".join([INTRO, "| type | what it does |\n|---|---|", contents, "", *map(documentation, registry)])


def own_page(registry: Registry) -> str:
    """The page of the node types that do not come with Headrace."""
    own = [node for node in registry if type_name(node) in registry.places]
    rows = ((type_name(node), _summary(node)) for node in own)
    contents = "\n".join(f"| [`{name}`](#{_anchor(name)}) | {what} | {registry.places[name]} |" for name, what in rows)
    head = "# Own node types\n\nThis page is made by `headrace nodes docs`.\n"
    return "\n".join([head, "| type | what it does | where |\n|---|---|---|", contents, "", *map(documentation, own)])


def documentation(node: type[Node]) -> str:
    """The section of one node type: its docstring, fields, ports and examples."""
    return "\n".join(_lines(node))


def _lines(node: type[Node]) -> Iterator[str]:
    yield f"## `{type_name(node)}`\n"
    yield f"{getdoc(node)}\n"
    if node.uses_profile:
        yield "Not in a flow with `profile: none`.\n"
    if asks(node):
        yield f"{_beside(node)}\n"
    yield from _table(("field", "value", "default", "meaning"), _fields(node))
    yield from _table(("port", "main", "taken when"), _ports(declared_ports(node).values()))
    for example in node.examples:
        yield f"```yaml\n{example.rstrip()}\n```\n"


def _beside(node: type[Node]) -> str:
    """The sentence about the keys beside the type of a node that asks."""
    if not node.waits:
        return "It waits for an answer, so `timeout`, `deadline` and `retry` may be written next to it."
    keys = "`timeout` must be written next to it, and its flow" if "timeout" in declared_ports(node) else "Its flow"
    return f"The run waits: {keys[0].lower()}{keys[1:]} says `while_waiting: restart`, `ignore` or `parallel`."


def _fields(node: type[Node]) -> Iterator[tuple[str, ...]]:
    types = {field.name: field.type for field in _struct(node).fields}
    for field in msgspec.structs.fields(node):
        own = field_notes(node)[field.name]
        text = next(note.description for note in reversed(own) if isinstance(note, msgspec.Meta) and note.description)
        name = f"`{field.encode_name}`" + (" (the whole value)" if _has(own, Sole) else "")
        yield name, _value(types[field.name], (*own, *map_value_notes(field.type))), _default(field), text


def _ports(ports: Iterable[Port]) -> Iterator[tuple[str, ...]]:
    for port in ports:
        if port not in (Node.failed, Node.skipped):
            yield f"`{port.name}`", "main" if port.main else "", port.text


def _value(kind: shape.Type, notes: tuple[Any, ...]) -> str:
    """The cell `value` of a field: its type in words, as its notes refine it."""
    words = "map of nodes" if _has(notes, Body) else _words(kind)
    if _has(notes, IsCondition):
        words = words.replace("true or false", "condition")
    if _has(notes, IsDuration):
        return "duration such as `10m`, no templates"
    for note in notes:
        if isinstance(note, Counters):
            words = words.replace("list of text", "list of them").replace("text", "name of a counter") + " by counter"
        elif isinstance(note, Keys):
            words += ", by paths below " + ", ".join(f"`{root}`" for root in note.roots)
        elif isinstance(note, Reference):
            noun = _NOUNS.get(note.kind) or f"a {note.kind.replace('-', ' ')}"
            words = words.replace("list of text", f"list of names of {noun}").replace("text", f"name of {noun}")
    if _has(notes, ConsentNames):
        words += ", by name of a consent"
    if _has(notes, PercentEncoded):
        words += ", values of templates percent-encoded"
    for note in notes:
        words += f", values of templates {note.words}" if isinstance(note, Escaped) else ""
    verbatim = [f", {note.words}" for note in notes if isinstance(note, Verbatim)]
    return words + (", no templates" if _has(notes, Fixed) else "") + "".join(verbatim)


def _words(kind: shape.Type) -> str:
    """A type in words, for authors: `map of text or number`."""
    match kind:
        case shape.Metadata(type=inner):
            return _words(inner)
        case shape.UnionType(types=kinds):
            words = dict.fromkeys(_words(member) for member in kinds if not isinstance(member, shape.NoneType))
            scalars = [word for word in words if word in _SCALAR]
            if len(scalars) == len(_SCALAR):
                words = dict.fromkeys(["scalar", *(word for word in words if word not in _SCALAR)])
            return " or ".join(words)
        case shape.DictType(value_type=value):
            return f"map of {_words(value)}"
        case shape.ListType(item_type=item) | shape.VarTupleType(item_type=item):
            return f"list of {_words(item)}"
        case shape.LiteralType(values=values):
            return " or ".join(f"`{value}`" for value in values)
    return _WORDS[type(kind)]


_WORDS = {
    shape.AnyType: "anything",
    shape.BoolType: "true or false",
    shape.FloatType: "number",
    shape.IntType: "number",
    shape.StrType: "text",
}
_SCALAR = frozenset({"text", "number", "true or false"})


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or value == {}:
        return ""
    return f"`{value if isinstance(value, str) else msgspec.json.encode(value).decode()}`"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    if lines:
        yield "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) + "\n"


def _struct(node: type[Node]) -> shape.StructType:
    struct = shape.type_info(node)
    assert isinstance(struct, shape.StructType)  # noqa: S101  # every node type is a Struct
    return struct


def _has(notes: tuple[Any, ...], kind: type) -> bool:
    return any(isinstance(note, kind) for note in notes)


def _summary(node: type[Node]) -> str:
    return (getdoc(node) or "").split("\n")[0]


def _anchor(name: str) -> str:
    return name.replace(".", "")
