"""How a search reads an index: in which order, which documents, and what they decode to."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from engine.search.page import CursorValue

Order = Mapping[str, type[CursorValue]]  # fields, the first counts most; all descending

COMMITTED: Final[Order] = {"stamp": int, "nth": int, "id": str}


class SearchedIndex(Struct, frozen=True):
    """One index or alias. `order` has no ties; `only` leaves out what is no document to a user.

    `numbers`: its documents have the numbers of free fields a second time, those of earlier versions excepted.
    """

    name: str
    order: Order
    decode: Callable[[str], Struct]
    only: Mapping[str, Any] | None = None
    numbers: bool = False
