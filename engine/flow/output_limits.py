"""Limits of node outputs, written values and emitted events. Values are plain data, as after encoding and decoding."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine.flow.effect import CachePut, Effect, SetEvent, SetSession
from engine.profile.document import Members
from engine.profile.operations import Append, Set
from engine.profile.value import opaque

MAX_OUT = 65_536  # bytes of a node's output, or of a value that it writes, as JSON
MAX_PROFILE = 1_048_576  # bytes of a profile's view, as JSON
MAX_EMITTED = 1_000  # child events of one run, and of one unit
MAX_EMITTED_BYTES = 8_388_608  # of the properties of all child events of a unit, as JSON
UNMEASURED = 8  # the first child events of a unit, which are not measured
MAX_KEPT = 16_777_216  # weight of what the turns of a run's loops leave
TOO_MANY_EMITTED = f"the run emits more than {MAX_EMITTED:,} events"
VALUE_EFFECTS = frozenset({Set, Append, SetEvent, SetSession, CachePut})

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def limited_output(out: Any) -> tuple[Any, str]:
    """A node's output as plain data, and its error; the error is empty when the output is valid."""
    encoded = _encode(out)
    if len(encoded) > MAX_OUT:
        return None, f"its output is larger than {MAX_OUT} bytes"
    return _decode(encoded), ""


def emitted_bytes(properties: Iterable[dict[str, Any]], most: int) -> int:
    """The bytes of the properties of child events; not more than one event beyond `most`."""
    size = 0
    for each in properties:
        size += len(_encode(each))
        if size > most:
            break
    return size


def weight(value: Any, most: int) -> int:
    """The characters and values in plain data, about as many bytes as it takes; not much more than `most`."""
    size, todo = 0, [value]
    while todo and size <= most:
        each = todo.pop()
        size += 1 + (len(each) if isinstance(each, str) else 0)
        if isinstance(each, Mapping):
            todo += each.values()
        elif isinstance(each, list | tuple):
            todo += each
    return size


def outgrowth(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    """The error when a profile's view has become too large; empty when it has not, or is not larger than before."""
    if after is None or (size := len(_encode(after))) <= MAX_PROFILE:
        return ""
    if before is not None and size <= len(_encode(before)):
        return ""
    return f"the profile would have {size} bytes, more than {MAX_PROFILE}: remove or shorten traits"


def limited_effect(effect: Effect) -> tuple[Effect, str]:
    """An effect of a type in `VALUE_EFFECTS` with plain data, and its error; the error is empty when it is valid."""
    value = effect.value  # type: ignore[union-attr]  # these have one
    if not isinstance(value, dict | list | Members) and not (type(value) is str and len(value) > MAX_OUT):
        return effect, ""
    if len(_encode(value)) > MAX_OUT:
        return effect, f"it writes a value larger than {MAX_OUT} bytes"
    if type(effect) is Set and isinstance(value, dict | Members):  # a set read from a profile becomes a list
        return Set(effect.path, opaque(value)), ""
    return effect, ""
