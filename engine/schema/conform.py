"""Conforming: the properties of an event are cast to the types of its collection's fields. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any

from msgspec import Struct

from engine.schema.cast import LEFT_OUT, cast
from engine.schema.infer import inferred_type
from engine.schema.schema import MAX_NAME
from engine.schema.value_type import ValueType

Types = Mapping[str, ValueType]  # of the fields of a collection, by name


class RefusedValue(Struct, frozen=True):
    """A value that was left out of an event's properties, or of which a part was; `value` is all of it."""

    field: str
    type: str
    reason: str
    value: Any


class Conformed(Struct, frozen=True):
    """The properties of an event as they are kept, and the values that were refused."""

    properties: dict[str, Any]
    refused: tuple[RefusedValue, ...] = ()


def conformed(collection: str, properties: Mapping[str, Any], types: Types, zone: tzinfo = UTC) -> Conformed:
    """Return properties with each value cast to the type of its field; a field without a type keeps its value.

    `zone` is that of times without an offset.
    """
    kept: dict[str, Any] = {}
    refused: list[RefusedValue] = []
    for name, value in properties.items():
        type = types.get(name)
        if type is None:
            kept[name] = value
            continue
        found = cast(value, type, zone)
        if found.value is not LEFT_OUT:
            kept[name] = found.value
        if found.reason:
            reason = _reason(collection, name, type, found.reason, whole=found.value is LEFT_OUT)
            refused.append(RefusedValue(name, str(type), reason, value))
    return Conformed(kept, tuple(refused))


def new_fields(properties: Mapping[str, Any], types: Types) -> Iterator[tuple[str, ValueType]]:
    """Yield the fields that have no type yet and whose value says one, with that type.

    A name of more than `MAX_NAME` characters is no field.
    """
    for name, value in properties.items():
        if name not in types and len(name) <= MAX_NAME and (type := inferred_type(value)) is not None:
            yield name, type


def _reason(collection: str, name: str, type: ValueType, why: str, *, whole: bool) -> str:
    what = f"the field `{name}` of `{collection}` is {type}"
    return f"{what}, and this event has {why}" if whole else f"{what}, and parts of it were left out: {why}"
