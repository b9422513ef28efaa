"""The table of filters and functions that expressions can call. The docstring of each is its documentation."""

from collections.abc import Callable
from typing import Any

from engine.language import agent, collection, derived, disguise, draw, json_text, moment, number, text, url
from engine.language.hidden import DRAW, HASH_KEYS, AnyKey
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
    "hash": disguise.digest,
    "mask": disguise.mask,
    "urlencode": text.urlencode,
    "urldecode": url.urldecode,
    "parse_url": url.parse_url,
    "query_param": url.query_param,
    "utm": url.utm,
    "user_agent": agent.user_agent,
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
    "pairs": collection.pairs,
    "round": number.rounded,
    "int": number.whole,
    "float": number.fraction,
    "abs": number.magnitude,
}

FILTERS: dict[str, Function] = {
    **{name: function(name, call, piped=True) for name, call in _FILTERS.items()},
    "matches": function("matches", text.matches, piped=True, prepare=text.compile_pattern),
    "hmac": function(
        "hmac", disguise.keyed_digest, piped=True, prepare=disguise.key_name, hidden=HASH_KEYS, sample=AnyKey()
    ),
    "from_json": function("from_json", json_text.from_json, piped=True, any_kind=True),
    "date": function("date", moment.date, piped=True, zoned=True),
    "parse_date": function("parse_date", moment.parse_date, piped=True, prepare=moment.compile_read_format, zoned=True),
    "format_date": function("format_date", moment.format_date, piped=True, prepare=moment.compile_format, zoned=True),
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": collection.smallest,
    "max": collection.largest,
    "pow": number.power,
    "exp": number.exponential,
    "log": number.logarithm,
    "sqrt": number.square_root,
    "bucket": draw.bucket,
    "days": moment.days,
    "hours": moment.hours,
    "minutes": moment.minutes,
}

FUNCTIONS: dict[str, Function] = {
    **{name: function(name, call, piped=False) for name, call in _FUNCTIONS.items()},
    "start_of": function("start_of", moment.start_of, piped=False, prepare=moment.compile_unit, zoned=True),
    "random_choice": function("random_choice", draw.random_choice, piped=False, any_kind=True, hidden=DRAW, sample=""),
    "counted": function("counted", derived.counted, piped=False, derives=True),
    "changed_at": function("changed_at", derived.changed_at, piped=False, derives=True),
}

TESTS = ("defined", "none")
