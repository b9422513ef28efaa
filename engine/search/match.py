"""Matching: whether a document matches a query. Every store must find exactly the documents that match here.

Values are compared as texts, and case matters. Numbers, `true` and `false` are compared as JSON writes them; any
element of a list may match. Null, empty lists and empty objects are not values.

Free fields are searched within limits: texts of at most `MAX_TEXT_LENGTH` characters, at most `MAX_DEPTH` levels deep,
under names of at most `MAX_PATH_LENGTH` characters in all. Values beyond these limits are stored and shown, but no
query finds them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.language.written_time import read_written_time
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.search.field import Field, Searchable, all_fields
from engine.search.query import AllOf, AnyOf, Begins, Exists, Is, Node, Not, Query, Within

MAX_TEXT_LENGTH: Final = 1024  # UTF-16 code units, as Elasticsearch counts
MAX_PATH_LENGTH: Final = 2000
MAX_DEPTH: Final = 18  # objects and lists, counting the outermost object as 1

Roots = Mapping[str, Any]  # a document, by the roots of its fields


def matches(query: Query, document: Struct) -> bool:
    """Return whether a document (a record, or a profile as stored) matches a query."""
    return _holds(query.node, query.searchable, roots(query, document))


def roots(query: Query, document: Struct) -> Roots:
    """Return the members of a document by name: the view of a profile, the fields of any other record."""
    if isinstance(document, Profile):
        return profile_view(document, fold(document, query.declared))
    return msgspec.structs.asdict(document)


def texts(field: Field, document: Roots) -> Iterator[str]:
    """Yield the values of a field as the texts that are compared."""
    for value in values(field, document):
        text = text_of(value)
        if text is not None and (field.type != "free" or is_searched(text)):
            yield text


def text_of(value: Any) -> str | None:
    """Return a plain value as the text that is compared; None for null."""
    if isinstance(value, str):
        return value
    return None if value is None else msgspec.json.encode(value).decode()


def is_searched(text: str) -> bool:
    """Return whether a text is short enough to be searched."""
    return len(text) <= MAX_TEXT_LENGTH // 2 or len(text.encode("utf-16-le", "surrogatepass")) // 2 <= MAX_TEXT_LENGTH


def values(field: Field, document: Roots) -> Iterator[Any]:
    """Yield the plain values of a field: the leaves at its path, those in lists included."""
    root = document.get(field.root)
    if not field.path:
        return _leaves(root, MAX_DEPTH, MAX_PATH_LENGTH)
    return _at(root, field.path, MAX_DEPTH)


def moments(field: Field, searchable: Searchable, document: Roots) -> Iterator[Any]:
    """Yield the values of a time or number; for a time that the document lacks, that of its first stand-in."""
    stand_ins = searchable.stand_ins.get(field.name)
    if stand_ins is None or document.get(field.root) is not None:
        yield from values(field, document)
        return
    for name in stand_ins:
        value = document.get(name)
        moment = read_written_time(value) if searchable.fields[name] == "word" else value
        if moment is not None:
            yield moment
            return


def _at(value: Any, path: str, deeper: int) -> Iterator[Any]:
    """Yield the leaves at a dotted path. Names may have dots: `{"a.b": 1}` and `{"a": {"b": 1}}` are equivalent.

    `deeper` is how many more levels are searched, here and below.
    """
    if not deeper:
        return
    if isinstance(value, dict):
        for name, below in value.items():
            if name == path:
                yield from _plain(below, deeper - 1)
            elif path.startswith(f"{name}."):
                yield from _at(below, path[len(name) + 1 :], deeper - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _at(item, path, deeper - 1)


def _plain(value: Any, deeper: int) -> Iterator[Any]:
    """Yield a leaf, or the leaves of a list. Leaves of objects are not yielded: their paths are longer."""
    if isinstance(value, list | tuple):
        for item in value if deeper else ():
            yield from _plain(item, deeper - 1)
    elif not isinstance(value, dict):
        yield value


def _leaves(value: Any, deeper: int, room: int) -> Iterator[Any]:
    """Yield all leaves at and below a value; `room` is how many characters of names the path may still have."""
    if isinstance(value, dict):
        for name, below in value.items() if deeper else ():
            if len(name) < room and "\0" not in name:
                yield from _leaves(below, deeper - 1, room - len(name))
    elif isinstance(value, list | tuple):
        for item in value if deeper else ():
            yield from _leaves(item, deeper - 1, room)
    else:
        yield value


def _holds(node: Node, searchable: Searchable, document: Roots) -> bool:
    match node:
        case AllOf(parts=parts):
            return all(_holds(part, searchable, document) for part in parts)
        case AnyOf(parts=parts):
            return any(_holds(part, searchable, document) for part in parts)
        case Not(part=part):
            return not _holds(part, searchable, document)
        case Exists(field=field):
            return _exists(field, searchable, document)
        case Within(field=field):
            return any(_within(node, value) for value in moments(field, searchable, document))
        case Is(field=field):
            return any(_is(node.texts, searched, document) for searched in _searched_fields(field, searchable))
        case Begins(field=field, text=prefix):
            searched_fields = _searched_fields(field, searchable)
            return any(text.startswith(prefix) for searched in searched_fields for text in texts(searched, document))


def _searched_fields(field: Field | None, searchable: Searchable) -> Iterable[Field]:
    return all_fields(searchable) if field is None else (field,)


def _is(wanted: tuple[str, ...], field: Field, document: Roots) -> bool:
    if field.type == "prose":
        return any(part in text for text in texts(field, document) for part in wanted)
    return any(text in wanted for text in texts(field, document))


def _exists(field: Field, searchable: Searchable, document: Roots) -> bool:
    if field.type in {"moment", "number"}:
        return any(value is not None for value in moments(field, searchable, document))
    return any(True for _ in texts(field, document))


def _within(node: Within, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = node.low, node.high
    if low is not None and (value <= low if node.over else value < low):
        return False
    return high is None or (value < high if node.under else value <= high)
