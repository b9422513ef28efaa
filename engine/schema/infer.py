"""The type of a field that is not declared: that of its first value.

A text is a STRING, also one that looks like a date: one such first value in a free text would refuse all others. Any
number is a DOUBLE. Of an array or a map whose values are not all of one type, the values are STRINGs, so that none is
refused.
"""

from collections.abc import Collection
from typing import Any, Final

from engine.schema.cast import cast
from engine.schema.value_type import TYPES, Container, ScalarType, ValueType

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


class Evidence:
    """The type for all values that a field was seen with, one after another: that to which each can be cast whole.

    All of them are known here, so texts that are all dates, or all times, make a DATE or a TIMESTAMP.
    """

    def __init__(self) -> None:
        self.values = 0  # how many said a type
        self._said: dict[ValueType, None] = {}  # the types of single values, each once
        self._fit = list(TYPES.values())  # the types to which all values can be cast

    def add(self, value: Any) -> None:
        """Add a value."""
        said = inferred_type(value)
        if said is not None:
            self.values += 1
            self._said[said] = None
            self._fit = [each for each in self._fit if not cast(value, each).reason]

    def common_type(self) -> ValueType | None:
        """Return the type; None if no value said one, or if there is none for all of them."""
        if list(self._said) == [ValueType("STRING")]:
            return next(each for each in _OF_TEXTS if each in self._fit)
        said = sorted(self._said, key=lambda each: each.scalar == _MIXED)  # others before STRINGs
        return next((each for each in (*said, *_OF_ALL) if self._said and each in self._fit), None)


_OF_TEXTS: Final = (ValueType("DATE"), ValueType("TIMESTAMP"), ValueType("STRING"))
_OF_ALL: Final = (ValueType("STRING"), ValueType("STRING", "ARRAY"), ValueType("STRING", "MAP"))
