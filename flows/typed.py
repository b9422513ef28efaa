"""From plain data to a frozen Struct, with every misfit as a problem at its key path.

msgspec stops at the first misfit and does not name the keys of maps, so Structs, maps and lists of Structs are walked
here and only their leaves are converted by it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from engine.problem import KeyPath, Problem, did_you_mean
from engine.validation_message import description, validation_message
from flows.secret import Secret

T = TypeVar("T", bound=Struct)

_MISFIT: Final = object()


Meant = Callable[[str, KeyPath, Iterable[str]], str]  # the remedy for a key that is unknown at a place


def usual(key: str, at: KeyPath, known: Iterable[str]) -> str:
    """The known key that was probably meant."""
    return did_you_mean(key, known)


def read_struct(kind: type[T], data: Any, what: str, meant: Meant = usual) -> tuple[T | None, list[Problem]]:
    """`data` as a `kind`, or None with what is wrong; `what` is what people call it, e.g. `a source`."""
    reading = _Reading(meant)
    value = reading.struct(kind, data, (), what)
    return (None if value is _MISFIT else value), reading.problems


class _Reading:
    def __init__(self, meant: Meant) -> None:
        self.meant = meant
        self.problems: list[Problem] = []

    def struct(self, kind: type[Struct], data: Any, at: KeyPath, what: str) -> Any:
        if not isinstance(data, Mapping):
            keys = ", ".join(f"`{info.encode_name}`" for info in fields(kind))
            self.problems.append(Problem(code="H404", message=f"{what} is a map of {keys}", path=at))
            return _MISFIT
        known = {info.encode_name: info for info in fields(kind)}
        hints = get_type_hints(kind, include_extras=True)
        count = len(self.problems)
        for key in data:
            if key not in known:
                self._unknown(key, known, at, what)
        values = {
            known[key].name: self.value(hints[known[key].name], data[key], (*at, key)) for key in data if key in known
        }
        for name, info in known.items():
            if name not in data and info.required:
                self._missing(info, hints[info.name], at, what)
        return kind(**values) if len(self.problems) == count else _MISFIT

    def value(self, annotation: Any, data: Any, at: KeyPath) -> Any:
        plain = _meant(annotation, data)
        if _is_struct(plain):
            return self.struct(plain, data, at, _called(plain, at))
        if get_origin(plain) is dict and isinstance(data, Mapping):
            return self._map(get_args(plain), data, at)
        if get_origin(plain) is tuple and isinstance(data, list) and _holds_structs(get_args(plain)[0]):
            return tuple([self.value(get_args(plain)[0], item, (*at, i)) for i, item in enumerate(data)])
        try:
            return msgspec.convert(data, annotation)
        except msgspec.ValidationError as misfit:
            self.problems.append(_misfit(str(misfit), annotation, data, at))
            return _MISFIT

    def _map(self, kinds: tuple[Any, ...], data: Mapping[str, Any], at: KeyPath) -> dict[str, Any]:
        words = get_args(kinds[0]) if get_origin(kinds[0]) is Literal else None
        read = {}
        for key, value in data.items():
            if words is not None and key not in words:
                self._unknown(key, words, at, f"`{at[-1]}`")
            else:
                read[key] = self.value(kinds[1], value, (*at, key))
        return read

    def _unknown(self, key: str, known: Any, at: KeyPath, what: str) -> None:
        message = f"{what} has no key `{key}`"
        self.problems.append(
            Problem(code="H402", message=message, path=(*at, key), on="key", help=self.meant(key, at, known))
        )

    def _missing(self, info: FieldInfo, annotation: Any, at: KeyPath, what: str) -> None:
        text = description(annotation)
        remedy = f"add `{info.encode_name}:`" + (f" ({text[:1].lower()}{text[1:]})" if text else "")
        message = f"{what} needs `{info.encode_name}`"
        self.problems.append(Problem(code="H403", message=message, path=at, on="key", help=remedy))


def _meant(annotation: Any, data: Any) -> Any:
    """The plain type that `data` is to be read as: of a union the one that takes a map, or a list, if it is one."""
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(plain) not in (Union, UnionType):
        return plain
    for kind in (_meant(kind, data) for kind in get_args(plain)):
        if isinstance(data, Mapping) and (_is_struct(kind) or get_origin(kind) is dict):
            return kind
        if isinstance(data, list) and get_origin(kind) is tuple:
            return kind
    return plain


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _holds_structs(kind: Any) -> bool:
    return _is_struct(kind) or any(map(_is_struct, get_args(kind)))


def _called(kind: type[Struct], at: KeyPath) -> str:
    """What people call a map: by its key; an item of a list by what it is."""
    if isinstance(at[-1], str):
        return f"`{at[-1]}`"
    name = kind.__name__.lower()
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _misfit(text: str, annotation: Any, data: Any, at: KeyPath) -> Problem:
    complaint, _, inside = text.partition(" - at `$")
    below: KeyPath = tuple(int(index) for index in re.findall(r"\[(\d+)\]", inside))
    message, remedy = validation_message(complaint, annotation, _shown(data))
    name = next(step for step in reversed(at) if isinstance(step, str))
    return Problem(code="H404", message=f"`{name}`: {message}", path=(*at, *below), help=remedy)


def _shown(data: Any) -> str:
    return "***" if isinstance(data, Secret) else str(data)[:80]
