"""Pages of results, and the cursors that lead from one to the next."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from msgspec import Struct

MAX_LIMIT: Final = 1000  # documents of a page
DEFAULT_LIMIT: Final = 50

INTEGERS: Final = range(-(2**63), 2**63)  # what every store takes

CursorValue = str | int


class Page(Struct, frozen=True):
    """Documents that were found, newest first, as they are stored.

    `after` leads to the next page; None when this is the last one. A page may be short or empty and yet have a next
    one: a store looks at a limited number of documents for each page.
    """

    items: tuple[Struct, ...] = ()
    after: str | None = None


class BadCursor(ValueError):
    """A cursor that does not come from a page of this kind of document."""

    def __init__(self) -> None:
        super().__init__("`after` is not the cursor of a page of this search: leave it out to begin anew")


def write_cursor(name: str, *place: CursorValue) -> str:
    """A cursor that leads behind a place in a kind of document. What a place is, only the store knows."""
    return urlsafe_b64encode(msgspec.json.encode((name, *place))).decode().rstrip("=")


def read_cursor(text: str, name: str, *types: type[CursorValue]) -> tuple[CursorValue, ...]:
    """The place in a cursor: one value for each of `types`. Raises `BadCursor`."""
    try:
        found = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=list[CursorValue])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise BadCursor from None
    if found[:1] != [name] or [type(one) for one in found[1:]] != list(types):
        raise BadCursor
    if any(isinstance(one, int) and one not in INTEGERS for one in found):
        raise BadCursor
    return tuple(found[1:])
