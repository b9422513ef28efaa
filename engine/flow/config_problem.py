"""The problems of a node's config, in the words of its author."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec
from msgspec.structs import fields

from engine.flow.field_types import bare_type, map_type
from engine.flow.node import Node, type_name
from engine.flow.registry import sole_field
from engine.flow.workarounds import FIELD_WORKAROUNDS
from engine.language.duration import likely_duration, show_duration
from engine.language.path import show_path
from engine.problem import KeyPath, Problem, closest, did_you_mean
from engine.validation_message import description, format_value, validation_message

_PATH_PART = re.compile(r"\.([^.\[`]+)|\[(\d+|\.\.\.)\]")


def bad_duration(raw: Any, at: KeyPath) -> Problem:
    """The problem of a text that is not a duration."""
    help = "write a whole number and a unit: 500ms, 2s, 10m, 24h, 7d"
    meant = likely_duration(raw)
    if meant:
        help = f"write `{meant}`; the units are ms, s, m, h and d"
    if isinstance(raw, str) and "{{" in raw:
        help += "; data never decides a duration"
    if isinstance(raw, int) and not isinstance(raw, bool) and raw > 0:
        help = f"write the unit, too: {raw}ms, {raw}s, {raw}m, {raw}h or {raw}d"
    written = raw if isinstance(raw, str) else format_value(raw)
    return Problem(code="H119", message=f"`{written}` is not a duration", path=at, help=help)


def too_long(ms: int, notes: Iterable[Any], subject: str, at: KeyPath) -> Problem | None:
    """The problem of a duration above the limit that its field's notes name; None when it is within."""
    limit = next((note.le for note in notes if isinstance(note, msgspec.Meta) and note.le is not None), None)
    if limit is None or ms <= limit:
        return None
    return Problem(code="H114", message=f"{subject} is at most {show_duration(int(limit))}", path=at)


def problem_of(
    error: msgspec.ValidationError,
    annotation: Any,
    value: Any,
    at: KeyPath,
    subject: str,
    on: Literal["key", "value"] = "value",
) -> Problem:
    """msgspec's error about `value` at `at` as a problem. Its path is as exact as msgspec's error."""
    reason, _, inner_path = str(error).partition(" - at `")
    below: list[str | int] = []
    for name, index in _PATH_PART.findall(inner_path):
        if index == "...":  # a key of a map; msgspec does not say which
            if not isinstance(value, Mapping) or len(value) != 1 or below:
                break
            below.append(next(iter(value)))
            subject = f"`{below[0]}` of {subject}"
            continue
        below.append(int(index) if index else name)
    shown = str(at[-1] if on == "key" else _part(value, below))[:80]
    message, help = validation_message(reason, annotation, shown)
    if on == "key" and (map_annotation := map_type(annotation)) is not None:
        help = description(get_args(bare_type(map_annotation))[0]) or help
    return Problem(code="H114", message=f"{subject}: {message}", path=(*at, *below), on=on, help=help)


def _part(value: Any, below: list[str | int]) -> Any:
    """The part of a value to which a path leads; the value itself when it leads nowhere."""
    part = value
    for step in below:
        try:
            part = part[step]
        except (LookupError, TypeError):
            return value
    return part


def unknown_fields(node: type[Node], raw: Mapping[Any, Any], at: KeyPath) -> Iterator[Problem]:
    """Yield the problems of the fields of `raw` that a node type does not have."""
    known = [info.encode_name for info in fields(node)]
    entries = _entries_of_sole(node, raw)
    for key in entries[:1] or (key for key in raw if key not in known):
        help = _below_sole(node, raw, entries) if entries else _field_help(str(key), known)
        message = f"`{type_name(node)}` has no field `{key}`"
        yield Problem(code="H113", message=message, path=(*at, key), on="key", help=help)


def stood_in_for(name: str, raw: Any, node: type[Node]) -> bool:
    """Whether an unknown field of `raw` was probably meant as the field `name`: its problem has the remedy."""
    known = [info.encode_name for info in fields(node)]
    unknown = [str(key) for key in raw if key not in known] if isinstance(raw, Mapping) else []
    if any(FIELD_WORKAROUNDS.get(key, ("",))[0] == name or closest(key, known) == name for key in unknown):
        return True
    return name == sole_field(node) and bool(unknown) and bool(_entries_of_sole(node, raw))


def _field_help(key: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown field `key` of a type with the fields `known`."""
    name, workaround = FIELD_WORKAROUNDS.get(key, ("", ""))
    if "key" in known and key.startswith(("traits.", "pii.")):
        return f"write `key: {{{key}: …}}`"
    return workaround if name in known else did_you_mean(key, known)


def _entries_of_sole(node: type[Node], raw: Mapping[Any, Any]) -> list[Any]:
    """Return the keys of `raw` that belong below the field which may take the node's whole value, if that is a map.

    `profile.set: {traits.city: Oslo, absent: skip}` is written like a plain map, beside an option.
    """
    infos = {info.name: info for info in fields(node)}
    sole = sole_field(node)
    if sole is None or sole in raw or map_type(infos[sole].type) is None:
        return []
    unknown = [key for key in raw if key not in infos]
    near = any(FIELD_WORKAROUNDS.get(str(key), ("",))[0] in infos or closest(str(key), infos) for key in unknown)
    return [] if near else unknown


def _below_sole(node: type[Node], raw: Mapping[Any, Any], entries: Sequence[Any]) -> str:
    option = next(key for key in raw if key not in entries)
    written = ", ".join(f"{key}: …" for key in entries)
    return f"beside `{option}`, write `{sole_field(node)}: {{{written}}}`"


def writable(path: tuple[str | int, ...], roots: Iterable[str], type: str) -> str:
    """The remedy for a path that a node of this type cannot write."""
    roots = tuple(roots)
    names = [str(name) for name in path]
    if names[0] == "segments" and type.startswith("profile."):
        return "`segment.add` and `segment.remove` fill segments"
    if names[0] in ("profile", "session", "event") and names[1:2] and names[1] in roots and len(names) > 2:
        return f"write `{show_path(tuple(names[1:]))}`"
    if names[0] in roots and type == "profile.set":
        return f"name the field below it; or copy each member of an object with `profile.copy: {{{names[0]}: …}}`"
    if names[0] in roots:
        return f"name the field below it: `{names[0]}.name`"
    begin = ", ".join(f"`{root}.…`" for root in roots)
    return f"write `{show_path((roots[0], *names))}`; paths begin with {begin}"
