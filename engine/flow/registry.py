"""The registry: which node types there are. It refuses a type that could not be documented or wired."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta
from msgspec.structs import fields

from engine.flow.node import Node, Sole, asks, declared_ports, type_name


class BadNodeType(Exception):
    """A node type is not fit to be offered to authors; the message says what to mend in its class."""


class Registry:
    """Node types by name, sorted. Registering checks; so running needs no checks."""

    def __init__(self, types: Iterable[type[Node]]) -> None:
        found: dict[str, type[Node]] = {}
        for node in types:
            _check(node)
            name = type_name(node)
            if name in found:
                raise BadNodeType(
                    f"two node types are called `{name}`: {found[name].__qualname__}, {node.__qualname__}"
                )
            found[name] = node
        self._types = dict(sorted(found.items()))

    def find(self, name: str) -> type[Node] | None:
        """The node type of that name, if there is one."""
        return self._types.get(name)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(self._types)

    def __iter__(self) -> Iterator[type[Node]]:
        return iter(self._types.values())

    def __len__(self) -> int:
        return len(self._types)


def notes(annotation: Any) -> tuple[Any, ...]:
    """What `Annotated` says of a field, nested annotations included (`Meta`, `Sole`, `Fixed`, ...)."""
    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)
        return (*notes(inner), *said)
    return ()


@cache
def field_notes(node: type[Node]) -> Mapping[str, tuple[Any, ...]]:
    """The notes of each field of a node type."""
    hints = get_type_hints(node, include_extras=True)
    return MappingProxyType({f.name: notes(hints[f.name]) for f in fields(node)})


def sole_field(node: type[Node]) -> str | None:
    """The field that may take the node's whole value, if there is one."""
    return next((name for name, said in field_notes(node).items() if any(isinstance(n, Sole) for n in said)), None)


def _check(node: type[Node]) -> None:
    if node.__struct_config__.tag is None:
        raise BadNodeType(f'{node.__qualname__} needs a name: class {node.__name__}(Node, frozen=True, tag="…")')
    name = f"{node.__qualname__} (`{type_name(node)}`)"
    if node.__doc__ is None or not node.__doc__.strip().split("\n")[0].endswith("."):
        raise BadNodeType(f"{name} needs a docstring whose first line is a sentence")
    for field, said in field_notes(node).items():
        if not any(isinstance(note, Meta) and note.description for note in said):
            raise BadNodeType(f"field `{field}` of {name} needs a Meta(description=...)")
    for port in declared_ports(node).values():
        if not port.text:
            raise BadNodeType(f"port `{port.name}` of {name} needs a text")
    if asks(node) and node.answer is Node.answer:
        raise BadNodeType(f"{name} asks but does not answer")
    if not asks(node) and node.run is Node.run:
        raise BadNodeType(f"{name} has neither `run` nor `ask`")
