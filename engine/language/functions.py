"""The table of filters and functions that expressions can call. The docstring of each is its documentation."""

from collections.abc import Callable
from typing import Any

from engine.language import collection, derived, moment, number, text
from engine.language.signature import Function, function

_FILTERS: dict[str, Callable[..., Any]] = {
    "default": collection.default,
    "lower": text.lower,
    "upper": text.upper,
    "title": text.title,
    "trim": text.trim,
    "truncate": text.truncate,
    "replace": text.replace,
    "split": text.split,
    "starts_with": text.starts_with,
    "ends_with": text.ends_with,
    "string": text.string,
    "json": text.json,
    "hash": text.digest,
    "urlencode": text.urlencode,
    "length": collection.length,
    "first": collection.first,
    "last": collection.last,
    "slice": collection.section,
    "join": collection.join,
    "min": collection.least,
    "max": collection.greatest,
    "sum": collection.total,
    "sort": collection.ordered,
    "unique": collection.unique,
    "keys": collection.keys,
    "values": collection.values,
    "round": number.rounded,
    "int": number.whole,
    "float": number.fraction,
    "abs": number.magnitude,
}

FILTERS: dict[str, Function] = {
    **{name: function(name, call, piped=True) for name, call in _FILTERS.items()},
    "matches": function("matches", text.matches, piped=True, prepare=text.compile_pattern),
    "date": function("date", moment.date, piped=True, zoned=True),
    "format_date": function("format_date", moment.format_date, piped=True, prepare=moment.compile_format, zoned=True),
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": collection.smallest,
    "max": collection.largest,
    "days": moment.days,
    "hours": moment.hours,
    "minutes": moment.minutes,
}

FUNCTIONS: dict[str, Function] = {
    **{name: function(name, call, piped=False) for name, call in _FUNCTIONS.items()},
    "start_of": function("start_of", moment.start_of, piped=False, prepare=moment.compile_unit, zoned=True),
    "counted": function("counted", derived.counted, piped=False, derives=True),
    "changed_at": function("changed_at", derived.changed_at, piped=False, derives=True),
}

TESTS = ("defined", "none")
