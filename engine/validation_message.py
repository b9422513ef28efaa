"""Validation errors of msgspec, reworded for authors of YAML."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from engine.problem import did_you_mean

WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a map",
    "null": "nothing",
}
SWITCHES = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_TYPE = re.compile(r"`([\w| ]+)`")
_BARE = re.compile(r"[A-Za-z_](?:[\w. -]*[\w])?")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:\.\d{3})*,\d{1,2}")
_COUNT = re.compile(r"Expected `(object|array|str)` of length (<=|>=) (\d+)")
_UNITS = {"object": ("entry", "entries"), "array": ("item", "items"), "str": ("character", "characters")}


def validation_message(error: str, annotation: Any, value_text: str) -> tuple[str, str]:
    """Return the message, which continues after the name of the field, and the remedy, which may be empty.

    `error` is msgspec's text without the path, `annotation` that of the field, `value_text` the value for messages.
    """
    if error.startswith("Invalid enum value"):
        words = [str(word) for word in _literals(annotation)]
        return f"`{value_text}` is not known here", did_you_mean(value_text, words)
    if "matching regex" in error:
        return f"`{value_text}` is not of the right form", description(annotation)
    count = _COUNT.match(error)
    if count is not None:
        most, limit = count[2] == "<=", int(count[3])
        return f"needs at {'most' if most else 'least'} {limit} {_UNITS[count[1]][limit != 1]}", description(annotation)
    switch = SWITCHES.get(value_text.lower()) if "Expected `bool`" in error else None
    if switch is not None:
        return f"`{value_text}` is a text here", f"write `{switch}`"
    message = _TYPE.sub(lambda types: _in_words(types[1]), error)
    return f"{message[:1].lower()}{message[1:]}", _other_spelling(error, annotation, value_text)


def _in_words(types: str) -> str:
    names = types.split(" | ")
    return " or ".join(WORDS.get(name, name) for name in names if not (name == "int" and "float" in names))


def _other_spelling(error: str, annotation: Any, value_text: str) -> str:
    """The remedy for a number written as a text, or a text written as a number; else the description."""
    expected, _, got = error.partition(", got ")
    plain = value_text.replace("_", "")
    text = description(annotation)
    if got.startswith("`str`") and ("`int" in expected or "float`" in expected) and _NUMBER.fullmatch(plain):
        return f"write {plain}: a number has no quotes and no `_`"
    if got.startswith("`str`") and "float`" in expected and _DECIMAL_COMMA.fullmatch(plain):
        return f"write {plain.replace('.', '').replace(',', '.')}: a number has a point, not a comma, and no quotes"
    if "str" in expected and got.startswith(("`int`", "`float`")) and "e.g." not in text and not _literals(annotation):
        return f'write it in quotes: "{value_text}"'
    return text


def description(annotation: Any) -> str:
    """Return the description of a field, or an empty text."""
    if get_origin(annotation) is not Annotated:
        return ""
    descriptions = (meta.description for meta in annotation.__metadata__ if isinstance(meta, Meta))
    return next((text for text in descriptions if text), "")


def example(annotation: Any) -> Any:
    """Return the first example of a field's value, or None."""
    if get_origin(annotation) is not Annotated:
        return None
    examples = (meta.examples for meta in annotation.__metadata__ if isinstance(meta, Meta))
    return next((values[0] for values in examples if values), None)


def format_value(value: Any) -> str:
    """Return plain data as an author may write it on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {format_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(format_value, value)) + "]"
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return msgspec.json.encode(value).decode()


def _literals(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(word for part in get_args(annotation) for word in _literals(part))
