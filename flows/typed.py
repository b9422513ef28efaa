"""From plain data to a frozen Struct, with every misfit as a problem at its key path.

msgspec stops at the first misfit and does not name the keys of maps, so Structs and maps are walked here and only
their leaves are converted by it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from engine.misfit import description, in_words
from engine.problem import KeyPath, Problem, did_you_mean
from flows.secret import Secret

T = TypeVar("T", bound=Struct)

_MISFIT: Final = object()


def read_struct(kind: type[T], data: Any, what: str) -> tuple[T | None, list[Problem]]:
    """`data` as a `kind`, or None with what is wrong; `what` is what people call it, e.g. `a source`."""
    reading = _Reading()
    value = reading.struct(kind, data, (), what)
    return (None if value is _MISFIT else value), reading.problems


class _Reading:
    def __init__(self) -> None:
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
        plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
        if isinstance(plain, type) and issubclass(plain, Struct):
            return self.struct(plain, data, at, f"`{at[-1]}`")
        if get_origin(plain) is dict and isinstance(data, Mapping):
            return self._map(get_args(plain), data, at)
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
            Problem(code="H402", message=message, path=(*at, key), on="key", help=did_you_mean(key, known))
        )

    def _missing(self, info: FieldInfo, annotation: Any, at: KeyPath, what: str) -> None:
        text = description(annotation)
        remedy = f"add `{info.encode_name}:`" + (f" ({text[:1].lower()}{text[1:]})" if text else "")
        message = f"{what} needs `{info.encode_name}`"
        self.problems.append(Problem(code="H403", message=message, path=at, on="key", help=remedy))


def _misfit(text: str, annotation: Any, data: Any, at: KeyPath) -> Problem:
    complaint, _, inside = text.partition(" - at `$")
    below: KeyPath = tuple(int(index) for index in re.findall(r"\[(\d+)\]", inside))
    message, remedy = in_words(complaint, annotation, _shown(data))
    return Problem(code="H404", message=f"`{at[-1]}`: {message}", path=(*at, *below), help=remedy)


def _shown(data: Any) -> str:
    return "***" if isinstance(data, Secret) else str(data)[:80]
