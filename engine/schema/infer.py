"""The type of a field that is not declared: that of its first value.

A text is a STRING, also one that looks like a date: one such first value in a free text would refuse all others. Any
number is a DOUBLE. Of an array or a map whose values are not all of one type, the values are STRINGs, so that none is
refused.
"""

from collections.abc import Collection
from typing import Any, Final

from engine.schema.value_type import Container, ScalarType, ValueType

_MIXED: Final[ScalarType] = "STRING"


def inferred_type(value: Any) -> ValueType | None:
    """Return the type of a first value; None for null and for what holds no value but null: they say nothing."""
    if isinstance(value, list):
        return _of_all(value, "ARRAY")
    if isinstance(value, dict):
        return _of_all(value.values(), "MAP")
    scalar = _scalar(value)
    return None if scalar is None else ValueType(scalar)


def _of_all(values: Collection[Any], container: Container) -> ValueType | None:
    scalars = {_scalar(value) for value in values if value is not None}
    if not scalars:
        return None
    scalar = scalars.pop()
    return ValueType(_MIXED if scalars or scalar is None else scalar, container)


def _scalar(value: Any) -> ScalarType | None:
    """Return the type of a scalar; None for null, an array and a map."""
    match value:
        case bool():
            return "BOOLEAN"
        case int() | float():
            return "DOUBLE"
        case str():
            return "STRING"
    return None
