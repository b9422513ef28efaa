"""Node types of other authors: everything about a class that would only fail when a flow is compiled or run."""

import re
from collections.abc import Iterator
from inspect import isclass
from typing import Any, Final

from msgspec import inspect, structs

from engine.flow.node import End, Node, asks, declared_ports, type_name
from engine.flow.node_draft import COMMON_KEYS
from engine.flow.registry import BadNodeType, check_type

NAME: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*")

Defect = tuple[str, str]  # what is wrong, and the remedy


def defects(node: Any) -> Iterator[Defect]:
    """Yield what is wrong with a node type; nothing if it can be registered."""
    if not (isclass(node) and issubclass(node, Node)):
        yield f"{node!r} is no node type", "write a class below `Node`"
        return
    try:
        check_type(node)
        unknown = [kind.__name__ for field in node_shape(node).fields for kind in _unknown_types(field.type)]
    except BadNodeType as bad:
        yield str(bad), ""
        return
    except Exception as bug:  # noqa: BLE001  # the boundary to other authors' code: annotations may raise anything
        yield f"the fields of {node.__qualname__} cannot be used: {type(bug).__name__}: {bug}", _FIELDS
        return
    if unknown:
        yield f"a field of {node.__qualname__} has the type {unknown[0]}, which flows cannot write", _FIELDS
    yield from _name_defects(type_name(node))
    yield from _port_defects(node)


_FIELDS: Final = "types of fields are text, numbers, bool, None, Any, Literal, lists and dictionaries of these"


def node_shape(node: type[Node]) -> inspect.StructType:
    """Return the types of a node type's fields. Raises what its annotations raise."""
    shape = inspect.type_info(node)
    assert isinstance(shape, inspect.StructType)  # noqa: S101
    return shape


def _unknown_types(kind: inspect.Type) -> Iterator[type]:
    """Yield the types within a field's type that are none of JSON."""
    if isinstance(kind, inspect.CustomType):
        yield kind.cls
        return
    for value in structs.asdict(kind).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, inspect.Type):
                yield from _unknown_types(part)


def _name_defects(name: str) -> Iterator[Defect]:
    if not NAME.fullmatch(name):
        yield f"`{name}` is not a name of a node type", "small letters, digits, - and _, e.g. `loyalty.points`"
    elif name in COMMON_KEYS:
        yield f"`{name}` is a key of every node", "give the type another name, e.g. `loyalty.points`"


def _port_defects(node: type[Node]) -> Iterator[Defect]:
    own = [port for port in declared_ports(node).values() if port not in (Node.failed, Node.skipped)]
    if "own_ports" in vars(node):
        return
    if not own:
        yield f"`{type_name(node)}` has no port of its own", 'write `done = Port("When it is left", main=True)`'
    elif not any(port.main or isinstance(port, End) for port in own):
        yield (
            f"`{type_name(node)}` has no main port, so `next: x` leads nowhere",
            "write `main=True` at one of its ports",
        )
    if asks(node) and node.run is not Node.run:
        yield f"`{type_name(node)}` has both `run` and `ask`", "delete one of them"
