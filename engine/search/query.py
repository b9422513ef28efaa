"""A query as data: a tree of conditions that a document must meet to be found."""

from typing import Final

from msgspec import Struct, field

from engine.profile.declared import Fields
from engine.search.field import Field, Searchable

Number = int | float


class AllOf(Struct, frozen=True, tag=True):
    """All of the parts hold; without parts, every document matches."""

    parts: "tuple[Node, ...]" = ()


class AnyOf(Struct, frozen=True, tag=True):
    """At least one of the parts holds."""

    parts: "tuple[Node, ...]"


class Not(Struct, frozen=True, tag=True):
    """The part does not hold."""

    part: "Node"


class Is(Struct, frozen=True, tag=True):
    """A value is one of `texts` or, in prose, contains one of them. Several texts are forms of one number.

    No field, here and below, means any field but times and numbers.
    """

    field: Field | None
    texts: tuple[str, ...]


class Begins(Struct, frozen=True, tag=True):
    """A value begins with `text`."""

    field: Field | None
    text: str


class Exists(Struct, frozen=True, tag=True):
    """The field has a value."""

    field: Field


class Within(Struct, frozen=True, tag=True):
    """A number or time (ms) is between `low` and `high`; None is no bound. `over` and `under` exclude the bounds."""

    field: Field
    low: Number | None = None
    high: Number | None = None
    over: bool = False  # strictly over `low`
    under: bool = False  # strictly under `high`


Node = AllOf | AnyOf | Not | Is | Begins | Exists | Within

EVERYTHING: Final = AllOf()


class Query(Struct, frozen=True):
    """A tree of conditions on one kind of document. `declared` are the project's `fields:`, for views of profiles."""

    searchable: Searchable
    node: Node = EVERYTHING
    declared: Fields = field(default_factory=dict)


def required(node: Node) -> tuple[Is, ...]:
    """Return the conditions on named fields that every match must meet exactly: those for which an index is of use."""
    match node:
        case Is(field=Field(type="word")):
            return (node,)
        case AllOf(parts=parts):
            return tuple(condition for part in parts for condition in required(part))
    return ()
