"""Documents of pages, which are made of several others: each part is masked as what it is.

A part that is personal in one document, such as an event's property, is masked in the others as well, such as in the
logs of its runs.
"""

from collections.abc import Iterable
from typing import Any, Final

from api.access.mask import Document, Mask

# The members by which documents are known, the first kind that fits.
_KINDS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("runs", frozenset({"flow", "version", "outcome", "at"})),
    ("deliveries", frozenset({"target", "queue", "event"})),
    ("rejected", frozenset({"reason", "body", "at"})),
    ("profiles", frozenset({"id", "traits", "pii"})),
    ("events", frozenset({"id", "type", "source", "received"})),
    ("sessions", frozenset({"id", "source", "created", "version"})),
    ("arrivals", frozenset({"awaited", "at"})),
)


def shown(mask: Mask, document: Document, known: Iterable[str] = ()) -> Document:
    """Return a document, or one that is made of several, as the mask leaves it. `known` are further personal values."""
    return document if mask.shows else _shown(mask, document, tuple({*known, *_known(mask, document)}))


def kind_of(document: Document) -> str | None:
    """Return of which kind a document is, by its members."""
    return next((kind for kind, members in _KINDS if members <= document.keys()), None)


def _shown(mask: Mask, document: Document, known: tuple[str, ...]) -> Document:
    kind = kind_of(document)
    if kind is not None:
        return mask.view(kind, document, known)
    if "values" in document or "expression" in document:
        return mask.explained(document, known)
    return {name: _part(mask, value, known) for name, value in document.items()}


def _part(mask: Mask, value: Any, known: tuple[str, ...]) -> Any:
    match value:
        case dict():
            return _shown(mask, value, known)
        case list() | tuple():
            return [_part(mask, each, known) for each in value]
        case str():
            return mask.text(value, known)
    return value


def _known(mask: Mask, value: Any) -> set[str]:
    """Return the personal values of all profiles and events in a document."""
    match value:
        case dict():
            if (kind := kind_of(value)) is not None:
                return set(mask.known_of(kind, value))
            return {each for inner in value.values() for each in _known(mask, inner)}
        case list() | tuple():
            return {each for inner in value for each in _known(mask, inner)}
    return set()
