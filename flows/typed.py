"""Converts plain data to a frozen Struct, and reports every invalid value as a problem at its key path.

msgspec stops at the first invalid value and does not name the keys of maps. So this module walks through Structs, maps
and lists of Structs, and leaves only their leaves to msgspec.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, structs
from msgspec.structs import FieldInfo, fields

from engine.problem import KeyPath, Problem, closest, did_you_mean
from engine.project.secret import Secret
from engine.validation_message import description, validation_message

T = TypeVar("T", bound=Struct)

_INVALID: Final = object()
_NAMES: Final = ("webhook", "source", "segment", "schema")
_OTHER_NAMES: Final = {
    **dict.fromkeys(("id", "name", "alias", "title", "label"), _NAMES),
    **dict.fromkeys(("if", "when", "where", "rule", "rules", "filter", "query", "expression"), ("condition",)),
    **dict.fromkeys(("uri", "host", "address", "endpoint", "base_url"), ("url",)),
    **dict.fromkeys(("static", "by_hand"), ("manual",)),
    **dict.fromkeys(("debug",), ("debugger",)),
    **dict.fromkeys(("collection", "event_type"), ("schema",)),
    **dict.fromkeys(("columns", "properties", "types"), ("fields",)),
    **dict.fromkeys(("tests", "scenarios", "examples"), ("cases",)),
    **dict.fromkeys(("event", "input"), ("send", "event")),
    **dict.fromkeys(("send",), ("event",)),
    **dict.fromkeys(("wait", "sleep", "delay", "after"), ("advance",)),
    **dict.fromkeys(("assert", "then", "result", "output"), ("expect",)),
    **dict.fromkeys(("json", "response", "data"), ("body",)),
    **dict.fromkeys(("error", "exception"), ("fail",)),
}  # the keys that something has in other tools, with those that it has here


SuggestKey = Callable[[str, KeyPath, Iterable[str]], str]  # the remedy for an unknown key at a path, by the known keys


def suggest_key(key: str, at: KeyPath, known: Iterable[str]) -> str:
    """The known key that was probably meant."""
    known = tuple(known)
    other = meant(key, known) if closest(key, known) is None else None
    return f"write `{other}: …`" if other is not None else did_you_mean(key, known)


def meant(key: str, known: Iterable[str]) -> str | None:
    """The known key that an unknown one stands for: one of a similar name, or the one that other tools call so."""
    known = tuple(known)
    return closest(key, known) or next((name for name in _OTHER_NAMES.get(key, ()) if name in known), None)


def read_struct(
    kind: type[T], data: Any, what: str, suggest: SuggestKey = suggest_key
) -> tuple[T | None, list[Problem]]:
    """`data` as a `kind`, or None with its problems; `what` is its name in messages, e.g. `a source`."""
    converter = _Converter(suggest)
    value = converter.struct(kind, data, (), what)
    return (None if value is _INVALID else value), converter.problems


class _Converter:
    def __init__(self, suggest: SuggestKey) -> None:
        self.suggest = suggest
        self.problems: list[Problem] = []

    def struct(self, kind: type[Struct], data: Any, at: KeyPath, what: str) -> Any:
        if not isinstance(data, Mapping):
            keys = ", ".join(f"`{info.encode_name}`" for info in fields(kind))
            help = "write its entries below it, each as `name: …`, without a dash" if isinstance(data, list) else ""
            required = [info.encode_name for info in fields(kind) if info.required]
            if isinstance(data, str) and len(required) == 1 and at:
                help = f"write `{at[-1]}: {{{required[0]}: {data}}}`"
            self.problems.append(Problem(code="H404", message=f"{what} is a map of {keys}", path=at, help=help))
            return _INVALID
        known = {info.encode_name: info for info in fields(kind)}
        hints = get_type_hints(kind, include_extras=True)
        count = len(self.problems)
        data = self._indented(data, at, lambda key: _takes_map(hints[known[key].name]) if key in known else None)
        for key in data:
            if key not in known:
                self._unknown(key, known, at, what)
        values = {
            known[key].name: self.value(hints[known[key].name], data[key], (*at, key)) for key in data if key in known
        }
        stood_in_for = {meant(str(key), known) for key in data if key not in known}
        for name, info in known.items():
            if name not in data and info.required and name not in stood_in_for:
                self._missing(info, hints[info.name], at, what)
        return kind(**values) if len(self.problems) == count else _INVALID

    def value(self, annotation: Any, data: Any, at: KeyPath) -> Any:
        plain = _plain_type(annotation, data)
        if _is_struct(plain):
            return self.struct(plain, data, at, _name_in_messages(plain, at))
        if get_origin(plain) is dict and isinstance(data, Mapping):
            return self._map(get_args(plain), data, at)
        if get_origin(plain) is tuple and isinstance(data, list) and _holds_structs(get_args(plain)[0]):
            return tuple([self.value(get_args(plain)[0], item, (*at, i)) for i, item in enumerate(data)])
        try:
            return msgspec.convert(data, annotation)
        except msgspec.ValidationError as error:
            problem = _invalid_value(str(error), annotation, data, at)
            if isinstance(data, list) and get_origin(plain) is dict and at:
                problem = structs.replace(
                    problem, help=f"write each entry below `{at[-1]}:` by its name, without a dash"
                )
            self.problems.append(problem)
            return _INVALID

    def _indented(
        self, data: Mapping[str, Any], at: KeyPath, takes_map: Callable[[str], bool | None]
    ) -> Mapping[str, Any]:
        """The data without lines that belong below a key with nothing, with a problem for them.

        `takes_map` says whether the value of a key is a map; None for a key that is unknown here.
        """
        names = list(data)
        for index, name in enumerate(names):
            body: list[str] = []
            for other in names[index + 1 :]:
                if takes_map(other) is not None:
                    break
                body.append(other)
            if data[name] is None and takes_map(name) and body:
                message = f"the lines below `{name}:` are not indented, so they do not belong to it"
                help = "put two spaces before each of them"
                self.problems.append(Problem(code="H037", message=message, path=(*at, body[0]), on="key", help=help))
                return {key: value for key, value in data.items() if key not in (*body, name)}
        return data

    def _map(self, kinds: tuple[Any, ...], data: Mapping[str, Any], at: KeyPath) -> dict[str, Any]:
        keys = get_args(kinds[0]) if get_origin(kinds[0]) is Literal else None
        if _is_struct(_plain_type(kinds[1], {})):
            inside = {info.encode_name for info in fields(_plain_type(kinds[1], {}))}
            data = self._indented(data, at, lambda key: None if key in inside else True)
        values = {}
        for key, value in data.items():
            if keys is not None and key not in keys:
                self._unknown(key, keys, at, f"`{at[-1]}`")
            else:
                values[key] = self.value(kinds[1], value, (*at, key))
        return values

    def _unknown(self, key: str, known: Any, at: KeyPath, what: str) -> None:
        message = f"{what} has no key `{key}`"
        self.problems.append(
            Problem(code="H402", message=message, path=(*at, key), on="key", help=self.suggest(key, at, known))
        )

    def _missing(self, info: FieldInfo, annotation: Any, at: KeyPath, what: str) -> None:
        text = description(annotation)
        remedy = f"add `{info.encode_name}:`" + (f" ({text[:1].lower()}{text[1:]})" if text else "")
        message = f"{what} needs `{info.encode_name}`"
        self.problems.append(Problem(code="H403", message=message, path=at, on="key", help=remedy))


def _plain_type(annotation: Any, data: Any) -> Any:
    """The type for `data` without its annotations; of a union the member for maps or lists, if `data` is one."""
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(plain) not in (Union, UnionType):
        return plain
    for kind in (_plain_type(kind, data) for kind in get_args(plain)):
        if isinstance(data, Mapping) and (_is_struct(kind) or get_origin(kind) is dict):
            return kind
        if isinstance(data, list) and get_origin(kind) is tuple:
            return kind
    return plain


def _takes_map(annotation: Any) -> bool:
    plain = _plain_type(annotation, {})
    return _is_struct(plain) or get_origin(plain) is dict


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _holds_structs(kind: Any) -> bool:
    return _is_struct(kind) or any(map(_is_struct, get_args(kind)))


def _name_in_messages(kind: type[Struct], at: KeyPath) -> str:
    """The name of a map in messages: its key, or for an item of a list its type."""
    if isinstance(at[-1], str):
        return f"`{at[-1]}`"
    name = re.findall("[A-Z][a-z]*", kind.__name__)[-1].lower()  # a `TestStep` is a step
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _invalid_value(text: str, annotation: Any, data: Any, at: KeyPath) -> Problem:
    message, _, inside = text.partition(" - at `$")
    below: KeyPath = tuple(int(index) for index in re.findall(r"\[(\d+)\]", inside))
    message, remedy = validation_message(message, annotation, _printed(data))
    name = next(step for step in reversed(at) if isinstance(step, str))
    return Problem(code="H404", message=f"`{name}`: {message}", path=(*at, *below), help=remedy)


def _printed(data: Any) -> str:
    return "***" if isinstance(data, Secret) else str(data)[:80]
