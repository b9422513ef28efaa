"""The registry of node types. It refuses a type that cannot be documented or wired."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta
from msgspec.structs import FieldInfo, fields

from engine.flow.loop_node import is_loop
from engine.flow.node import Node, Sole, asks, declared_ports, type_name


class BadNodeType(Exception):
    """A node type cannot be registered; the message says what to correct in its class."""


class Registry:
    """Node types, sorted by name. The constructor checks them, so runs need no checks.

    The constructor raises `BadNodeType` for a type that is incomplete, or whose name another type has. `places` says in
    which file or package each type is that does not come with Headrace, by name; `missing` the same of types that could
    not be loaded.
    """

    def __init__(
        self, types: Iterable[type[Node]], places: Mapping[str, str] = {}, missing: Mapping[str, str] = {}
    ) -> None:
        self.places = places
        self.missing = missing
        by_name: dict[str, type[Node]] = {}
        for node in types:
            check_type(node)
            name = type_name(node)
            if name in by_name:
                raise BadNodeType(
                    f"two node types are called `{name}`: {by_name[name].__qualname__}, {node.__qualname__}"
                )
            by_name[name] = node
        self._types = dict(sorted(by_name.items()))

    def find(self, name: str) -> type[Node] | None:
        """The node type of that name, or None."""
        return self._types.get(name)

    def type_in(self, node: Mapping[Any, Any]) -> str | None:
        """The node type among the keys of a node as it is written; None when there is none, or several."""
        types = [key for key in node if key in self._types]
        return types[0] if len(types) == 1 else None

    def is_node(self, raw: Any) -> bool:
        """Return whether a value is written like a node: a map with a node type among its keys."""
        return isinstance(raw, Mapping) and any(key in self._types for key in raw)

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(self._types)

    def __iter__(self) -> Iterator[type[Node]]:
        return iter(self._types.values())

    def __len__(self) -> int:
        return len(self._types)


def notes_in(annotation: Any) -> tuple[Any, ...]:
    """The field notes in an annotation, those of nested annotations first (`Meta`, `Sole`, `Fixed`, ...)."""
    if get_origin(annotation) is Annotated:
        inner, *outer_notes = get_args(annotation)
        return (*notes_in(inner), *outer_notes)
    return ()


@cache
def node_fields(node: type[Node]) -> tuple[FieldInfo, ...]:
    """The fields of a node type."""
    return fields(node)


@cache
def field_notes(node: type[Node]) -> Mapping[str, tuple[Any, ...]]:
    """The field notes of each field of a node type, by field name."""
    hints = get_type_hints(node, include_extras=True)
    return MappingProxyType({f.name: notes_in(hints[f.name]) for f in node_fields(node)})


@cache
def sole_field(node: type[Node]) -> str | None:
    """The name of the field that may take the node's whole value, or None."""
    return next((name for name, notes in field_notes(node).items() if any(isinstance(n, Sole) for n in notes)), None)


def check_type(node: type[Node]) -> None:
    """Raise `BadNodeType` if a type is incomplete."""
    if node.__struct_config__.tag is None:
        raise BadNodeType(f'{node.__qualname__} needs a name: class {node.__name__}(Node, frozen=True, tag="…")')
    name = f"{node.__qualname__} (`{type_name(node)}`)"
    if node.__doc__ is None or not node.__doc__.strip().split("\n")[0].endswith("."):
        raise BadNodeType(f"{name} needs a docstring whose first line is a sentence")
    for field, notes in field_notes(node).items():
        if not any(isinstance(note, Meta) and note.description for note in notes):
            raise BadNodeType(f"field `{field}` of {name} needs a Meta(description=...)")
    for port in declared_ports(node).values():
        if not port.text:
            raise BadNodeType(f"port `{port.name}` of {name} needs a text")
    if asks(node) and node.answer is Node.answer:
        raise BadNodeType(f"{name} asks but does not answer")
    if not asks(node) and not is_loop(node) and node.run is Node.run:
        raise BadNodeType(f"{name} has neither `run` nor `ask`")
