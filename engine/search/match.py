"""Whether a document is what a query asks for. Every store gives what this gives, however it finds it.

Values are compared as texts, case and all: a text is itself, a number, `true` and `false` are as JSON has them; of a
list any element may match. Null, empty lists and empty objects are no values.

Free fields are searched within limits: texts of at most `MAX_TEXT_LENGTH` characters, at most `MAX_DEPTH` levels deep,
under names of at most `MAX_PATH_LENGTH` characters in all. Values beyond these limits are stored and shown, but no
query finds them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.search.field import Field, Searchable, all_fields
from engine.search.query import AllOf, AnyOf, Begins, Exists, Is, Node, Not, Query, Within

MAX_TEXT_LENGTH: Final = 1024  # UTF-16 code units, as Elasticsearch counts
MAX_PATH_LENGTH: Final = 2000
MAX_DEPTH: Final = 18  # objects and lists, counting the outermost object as 1

Roots = Mapping[str, Any]  # what a document has, by the roots of its fields


def matches(query: Query, document: Struct) -> bool:
    """Whether a document (a record, or a profile as stored) is what `query` asks for."""
    return _holds(query.node, query.searchable, roots(query, document))


def roots(query: Query, document: Struct) -> Roots:
    """A document as its fields see it: a profile as it is shown, anything else as it is."""
    if isinstance(document, Profile):
        return profile_view(document, fold(document, query.declared))
    return msgspec.structs.asdict(document)


def texts(field: Field, seen: Roots) -> Iterator[str]:
    """The values of a field as they are compared."""
    for value in values(field, seen):
        text = text_of(value)
        if text is not None and (field.type != "free" or is_searched(text)):
            yield text


def text_of(value: Any) -> str | None:
    """A plain value as it is compared; null is none."""
    if isinstance(value, str):
        return value
    return None if value is None else msgspec.json.encode(value).decode()


def is_searched(text: str) -> bool:
    """Whether a text is short enough."""
    return len(text) <= MAX_TEXT_LENGTH // 2 or len(text.encode("utf-16-le", "surrogatepass")) // 2 <= MAX_TEXT_LENGTH


def values(field: Field, seen: Roots) -> Iterator[Any]:
    """The plain values of a field: the leaves at its path, through lists."""
    root = seen.get(field.root)
    if not field.path:
        return _leaves(root, MAX_DEPTH, MAX_PATH_LENGTH)
    return _at(root, field.path, MAX_DEPTH)


def _at(value: Any, path: str, deeper: int) -> Iterator[Any]:
    """The leaves that lie at a dotted path. Names may have dots: `{"a.b": 1}` and `{"a": {"b": 1}}` are alike."""
    if not deeper:
        return
    if isinstance(value, dict):
        for name, below in value.items():
            if name == path:
                yield from _plain(below, deeper - 1)
            elif path.startswith(f"{name}."):
                yield from _at(below, path[len(name) + 1 :], deeper - 1)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _at(each, path, deeper - 1)


def _plain(value: Any, deeper: int) -> Iterator[Any]:
    """A leaf, or those of a list. What lies in objects has longer paths."""
    if isinstance(value, list | tuple):
        for each in value if deeper else ():
            yield from _plain(each, deeper - 1)
    elif not isinstance(value, dict):
        yield value


def _leaves(value: Any, deeper: int, room: int) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, below in value.items() if deeper else ():
            if len(name) < room and "\0" not in name:
                yield from _leaves(below, deeper - 1, room - len(name))
    elif isinstance(value, list | tuple):
        for each in value if deeper else ():
            yield from _leaves(each, deeper - 1, room)
    else:
        yield value


def _holds(node: Node, searchable: Searchable, seen: Roots) -> bool:
    match node:
        case AllOf(parts=parts):
            return all(_holds(part, searchable, seen) for part in parts)
        case AnyOf(parts=parts):
            return any(_holds(part, searchable, seen) for part in parts)
        case Not(part=part):
            return not _holds(part, searchable, seen)
        case Exists(field=field):
            return _exists(field, seen)
        case Within(field=field):
            return any(_within(node, value) for value in values(field, seen))
        case Is(field=asked):
            return any(_is(node.texts, field, seen) for field in _asked(asked, searchable))
        case Begins(field=asked, text=beginning):
            return any(text.startswith(beginning) for field in _asked(asked, searchable) for text in texts(field, seen))


def _asked(field: Field | None, searchable: Searchable) -> Iterable[Field]:
    return all_fields(searchable) if field is None else (field,)


def _is(wanted: tuple[str, ...], field: Field, seen: Roots) -> bool:
    if field.type == "prose":
        return any(one in text for text in texts(field, seen) for one in wanted)
    return any(text in wanted for text in texts(field, seen))


def _exists(field: Field, seen: Roots) -> bool:
    if field.type in {"moment", "number"}:
        return any(value is not None for value in values(field, seen))
    return any(True for _ in texts(field, seen))


def _within(node: Within, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = node.low, node.high
    if low is not None and (value <= low if node.over else value < low):
        return False
    return high is None or (value < high if node.under else value <= high)
