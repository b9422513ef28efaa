"""The types that the fields of events can have, and their names."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

from engine.problem import closest

ScalarType = Literal["STRING", "BOOLEAN", "LONG", "DOUBLE", "DATE", "TIMESTAMP"]
Container = Literal["ARRAY", "MAP"]

SCALARS: Final[tuple[ScalarType, ...]] = get_args(ScalarType)


class ValueType(Struct, frozen=True):
    """The type of a field: a scalar, or an array or map of scalars."""

    scalar: ScalarType
    container: Container | None = None

    def __str__(self) -> str:
        """Return the name of the type, such as `DOUBLE` or `ARRAY_STRING`."""
        return self.scalar if self.container is None else f"{self.container}_{self.scalar}"


TYPES: Final[Mapping[str, ValueType]] = {
    str(type): type
    for type in (
        *[ValueType(scalar) for scalar in SCALARS],
        *[ValueType(scalar, container) for container in get_args(Container) for scalar in SCALARS],
    )
}

# The names of types in other languages and databases -> ours.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR", "STR", "UUID", "KEYWORD", "ENUM", "TIME", "JSON"), "STRING"),
    **dict.fromkeys(("BOOL", "BIT"), "BOOLEAN"),
    **dict.fromkeys(("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT"), "LONG"),
    **dict.fromkeys(("NUMBER", "FLOAT", "DECIMAL", "NUMERIC", "REAL"), "DOUBLE"),
    **dict.fromkeys(("DATETIME", "MOMENT", "TIMESTAMPTZ"), "TIMESTAMP"),
    **dict.fromkeys(("ARRAY", "LIST", "TUPLE", "SET"), "ARRAY_STRING"),
    **dict.fromkeys(("MAP", "OBJECT", "DICT", "STRUCT", "RECORD"), "MAP_STRING"),
}


def read_type(name: str) -> ValueType | None:
    """Return the type with a name as `str` shows it, or None."""
    return TYPES.get(name)


def type_remedy(name: str) -> str:
    """Return the help for a name that is no type: the one that was probably meant, or the list of all."""
    meant = _meant(name)
    if meant is not None:
        return f"did you mean `{meant}`?"
    return f"a type is {', '.join(SCALARS)}, or one of these behind ARRAY_ or MAP_, e.g. ARRAY_STRING"


def _meant(name: str) -> str | None:
    """Return the name of a type for a similar one, or one of another language such as `array<int>` or `string[]`."""
    word = name.strip().upper()
    if word.endswith("[]"):
        word = f"ARRAY<{word.removesuffix('[]')}>"
    container, opening, inside = word.partition("<")
    if opening:
        scalar = _scalar(inside.rstrip(">").rpartition(",")[2])
        return f"{_OTHER_NAMES.get(container, 'ARRAY_').partition('_')[0]}_{scalar}" if scalar else None
    container, underscore, inside = word.partition("_")
    if underscore and container in get_args(Container) and inside in _OTHER_NAMES:
        return f"{container}_{_OTHER_NAMES[inside]}"
    return _OTHER_NAMES.get(word) or closest(word, TYPES)


def _scalar(word: str) -> str | None:
    word = _OTHER_NAMES.get(word.strip(), word.strip())
    return word if word in SCALARS else closest(word, SCALARS)
