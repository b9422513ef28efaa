"""Casting: a value of an event becomes one of its field's type, or is left out with a reason. Pure.

    type        null  true, false   number             text                       [] or {}  array            object
    STRING      null  their text    its text           itself                     null      no               no
    BOOLEAN     null  itself        no                 true, false in any case    null      no               no
    LONG        null  no            cut to a whole one "" is null; a number, cut  null      no               no
    DOUBLE      null  no            itself             "" is null; a number       null      no               no
    DATE        null  no            no                 yyyy-MM-dd                 null      no               no
    TIMESTAMP   null  no            ms since 1970      ISO 8601, 13 characters    null      no               no
    ARRAY of T  null  one element   one element        JSON if it begins with [,  []        each cast to T   no
                                                       else one element
    MAP of T    null  no            no                 no                         {}        no               values to T

Elements and values that cannot be cast are left out of their array or map. An array or object inside one of STRINGs is
kept as its JSON text; inside any other it is left out. A TIMESTAMP is ISO 8601 text in UTC, as event times are stored.

Casting a value that was cast to the same type changes nothing.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.language.written_time import written_time
from engine.language.zone import find_zone, moment_of
from engine.schema.value_type import ScalarType, ValueType

LONGEST_NUMBER: Final = 64  # characters of a text that spells a number
LONGEST_TIME: Final = 100  # characters
SHORTEST_TIME: Final = 13  # characters; a shorter text names no moment
LEAST, MOST = -(2**63), 2**63 - 1  # of a LONG

_LARGEST: Final = int(sys.float_info.max)
_TOO_LARGE: Final = "a number beyond the largest one, 1.8e308"
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)? *(\S.*)?", re.ASCII
)
_OFFSET: Final = re.compile(r"[+-]\d{2}(:?\d{2})?", re.ASCII)


class _LeftOut:
    """Stands for the value of a field that cannot be cast."""

    def __repr__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT: Final = _LeftOut()


class Cast(Struct, frozen=True):
    """A cast value, or `LEFT_OUT`. `reason` says why it, or a part of it, was left out; empty if all was kept."""

    value: Any
    reason: str = ""


class _CannotCast(Exception):
    """A value that cannot be cast. The message says what it is."""


def cast(value: Any, type: ValueType, zone: tzinfo = UTC) -> Cast:
    """Return a value as one of a type. `zone` is that of times without an offset."""
    if value is None:
        return Cast(None)
    if type.container == "ARRAY":
        return _array(value, type.scalar, zone)
    if type.container == "MAP":
        return _map(value, type.scalar, zone)
    try:
        return Cast(_scalar(value, type.scalar, zone))
    except _CannotCast as cannot:
        return Cast(LEFT_OUT, str(cannot))


def _array(value: Any, scalar: ScalarType, zone: tzinfo) -> Cast:
    if isinstance(value, dict):
        return Cast(LEFT_OUT, "an object") if value else Cast([])
    elements = value if isinstance(value, list) else _elements(value)
    kept, reason = _cast_all(enumerate(elements, 1), scalar, zone, "element {}")
    if not isinstance(value, list) and not kept and reason:
        return Cast(LEFT_OUT, reason.partition(": ")[2])
    return Cast([each for _, each in kept], reason)


def _elements(value: Any) -> list[Any]:
    """Return the elements of an array that is JSON text; another scalar is the only element."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return msgspec.json.decode(value, type=list)
        except (msgspec.DecodeError, RecursionError):
            pass
    return [value]


def _map(value: Any, scalar: ScalarType, zone: tzinfo) -> Cast:
    if not isinstance(value, dict):
        return Cast({}) if value == [] else Cast(LEFT_OUT, described(value))
    kept, reason = _cast_all(value.items(), scalar, zone, "`{}`")
    return Cast(dict(kept), reason)


def _cast_all(
    values: Iterable[tuple[Any, Any]], scalar: ScalarType, zone: tzinfo, place: str
) -> tuple[list[tuple[Any, Any]], str]:
    """Return those of some named values that can be cast, and why the first other one cannot; empty if all can."""
    kept, reason, others = list[tuple[Any, Any]](), "", 0
    for name, value in values:
        try:
            kept.append((name, None if value is None else _inner(value, scalar, zone)))
        except _CannotCast as cannot:
            others += bool(reason)
            reason = reason or f"{place.format(str(name)[:40])}: {cannot}"
    return kept, f"{reason}, and {others} more" if others else reason


def _inner(value: Any, scalar: ScalarType, zone: tzinfo) -> Any:
    if isinstance(value, dict | list) and scalar == "STRING":
        return msgspec.json.encode(value).decode()
    if isinstance(value, dict | list):
        raise _CannotCast(described(value))
    return _scalar(value, scalar, zone)


def _scalar(value: Any, scalar: ScalarType, zone: tzinfo) -> Any:
    """Return a value as a scalar of a type. Raises `_CannotCast`."""
    if isinstance(value, dict | list):
        if value:
            raise _CannotCast(described(value))
        return None
    return _SCALARS[scalar](value, zone)


def _string(value: Any, _zone: tzinfo) -> Any:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _boolean(value: Any, _zone: tzinfo) -> Any:
    word = value.lower() if isinstance(value, str) else value
    if isinstance(word, bool):
        return word
    if word not in ("true", "false"):
        raise _CannotCast(
            f"{described(value)} other than true and false" if isinstance(value, str) else described(value)
        )
    return word == "true"


def _long(value: Any, _zone: tzinfo) -> Any:
    number = _number(value)
    if number is None:
        return None
    whole = int(number)
    if not LEAST <= whole <= MOST:
        raise _CannotCast("a number beyond 64 bits")
    return whole


def _double(value: Any, _zone: tzinfo) -> Any:
    number = _number(value)
    if isinstance(number, int) and abs(number) > _LARGEST:
        raise _CannotCast(_TOO_LARGE)
    return _nearest(number) if isinstance(number, Decimal) else number


def _number(value: Any) -> Any:
    """Return a number as it is, a text that spells one as a decimal, an empty text as None. Raises `_CannotCast`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise _CannotCast(described(value))
    text = value.strip()
    if not text:
        return None
    if len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise _CannotCast("a text that spells no number")
    number = Decimal(text)
    if not isfinite(float(number)):
        raise _CannotCast(_TOO_LARGE)
    return number


def _nearest(number: Decimal) -> int | float:
    """Return the JSON number for a decimal: a whole one of 64 bits exactly, any other as the nearest double."""
    exponent = number.as_tuple().exponent
    if exponent == 0 and LEAST <= number <= MOST:
        return int(number)
    return float(number)


def _date(value: Any, _zone: tzinfo) -> Any:
    if not isinstance(value, str):
        raise _CannotCast(described(value))
    text = value.strip()
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        pass
    raise _CannotCast("a text that is no date such as 2024-05-31")


def _timestamp(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _written(int(value))
    if not isinstance(value, str):
        raise _CannotCast(described(value))
    text = value.strip()
    moment = _moment(text, zone) if SHORTEST_TIME <= len(text) <= LONGEST_TIME else None
    if moment is None:
        raise _CannotCast("a text that is no time such as 2024-05-31T12:00:00Z")
    return _written(moment)


def _written(moment: int) -> str:
    try:
        return written_time(moment)
    except OverflowError:
        raise _CannotCast("a time outside the years 1 to 9999") from None


def _moment(text: str, zone: tzinfo) -> int | None:
    """Return the moment (ms) that a text names, or None."""
    try:
        found = _loose_time(text, zone) or datetime.fromisoformat(text.upper())
        return moment_of(found if found.tzinfo else found.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _loose_time(text: str, zone: tzinfo) -> datetime | None:
    """Return the time of `yyyy-M-d H[:m[:s[.SSS]]][ zone]`; None for another form. Raises `ValueError`."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, name = match.groups()
    given = zone if name is None else _named_zone(name)
    if given is None:
        return None
    microsecond = int(f"{fraction or ''}000000"[:6])
    return datetime(int(year), int(month), int(day), int(hour), int(minute or 0), int(second or 0), microsecond, given)


def _named_zone(name: str) -> tzinfo | None:
    if name.upper() == "Z":
        return UTC
    if _OFFSET.fullmatch(name):
        return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo
    return find_zone(name)


def described(value: Any) -> str:
    """Return what a value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the value {'true' if value else 'false'}"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "an array"
    return "an object"


_SCALARS: Final[Mapping[ScalarType, Callable[[Any, tzinfo], Any]]] = {
    "STRING": _string,
    "BOOLEAN": _boolean,
    "LONG": _long,
    "DOUBLE": _double,
    "DATE": _date,
    "TIMESTAMP": _timestamp,
}
