"""Pages of results, and the cursors that continue with the next page."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from msgspec import Struct

MAX_LIMIT: Final = 1000  # documents of a page
DEFAULT_LIMIT: Final = 50

INTEGERS: Final = range(-(2**63), 2**63)  # that every store accepts

CursorValue = str | int


class Page(Struct, frozen=True):
    """Found documents, newest first, as they are stored.

    `after` is the cursor of the next page; None when this page is the last. A page may be short or even empty and still
    have a next one, because a store examines a limited number of documents per page.
    """

    items: tuple[Struct, ...] = ()
    after: str | None = None


class BadCursor(ValueError):
    """A cursor that no page of this kind of document has."""

    def __init__(self) -> None:
        super().__init__("`after` is not the cursor of a page of this search: leave it out to start again")


def write_cursor(name: str, *values: CursorValue) -> str:
    """Return a cursor that continues after a position. The values of a position are the store's own."""
    return urlsafe_b64encode(msgspec.json.encode((name, *values))).decode().rstrip("=")


def read_cursor(text: str, name: str, *types: type[CursorValue]) -> tuple[CursorValue, ...]:
    """Return the values of a cursor, one for each of `types`. Raises `BadCursor`."""
    try:
        values = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=list[CursorValue])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise BadCursor from None
    if values[:1] != [name] or [type(value) for value in values[1:]] != list(types):
        raise BadCursor
    if any(isinstance(value, int) and value not in INTEGERS for value in values):
        raise BadCursor
    return tuple(values[1:])
