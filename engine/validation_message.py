"""msgspec's complaints about a value, in the words of those who write YAML."""

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
_COUNT = re.compile(r"Expected `(object|array|str)` of length (<=|>=) (\d+)")
_UNITS = {"object": ("entry", "entries"), "array": ("item", "items"), "str": ("character", "characters")}


def validation_message(complaint: str, annotation: Any, shown: str) -> tuple[str, str]:
    """The message (which goes on after the name of the field) and the remedy.

    `complaint` is msgspec's text without its place, `shown` the value as it may be shown.
    """
    if complaint.startswith("Invalid enum value"):
        return f"`{shown}` is not known here", did_you_mean(shown, [str(word) for word in _literals(annotation)])
    if "matching regex" in complaint:
        return f"`{shown}` is not of the right form", description(annotation)
    count = _COUNT.match(complaint)
    if count is not None:
        most, limit = count[2] == "<=", int(count[3])
        return f"needs at {'most' if most else 'least'} {limit} {_UNITS[count[1]][limit != 1]}", description(annotation)
    switch = SWITCHES.get(shown.lower()) if "Expected `bool`" in complaint else None
    if switch is not None:
        return f"`{shown}` is a text here", f"write `{switch}`"
    message = _TYPE.sub(lambda found: " or ".join(WORDS.get(t, t) for t in found[1].split(" | ")), complaint)
    return f"{message[:1].lower()}{message[1:]}", description(annotation)


def description(annotation: Any) -> str:
    """What a field says of itself."""
    if get_origin(annotation) is not Annotated:
        return ""
    said = (note.description for note in annotation.__metadata__ if isinstance(note, Meta))
    return next((text for text in said if text), "")


def example(annotation: Any) -> Any:
    """The first example that a field gives of its value, or None."""
    if get_origin(annotation) is not Annotated:
        return None
    said = (note.examples for note in annotation.__metadata__ if isinstance(note, Meta))
    return next((given[0] for given in said if given), None)


def format_value(value: Any) -> str:
    """Plain data as an author may write it on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {format_value(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(format_value, value)) + "]"
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return msgspec.json.encode(value).decode()


def _literals(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(word for part in get_args(annotation) for word in _literals(part))
