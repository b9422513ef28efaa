"""Import mappings: how the rows of a file become events."""

from contextlib import suppress
from hashlib import sha256
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from engine.language.absent import Absent
from engine.language.path import Scope
from engine.project.mapping import IDS, MappedEvent, as_object, as_text
from engine.project.row_format import RowFormat

ROW_ROOTS: Final = frozenset({"row", "number", "file", "now"})


class RowMapping(Protocol):
    """Makes an event from the scope of a row."""

    def event(self, scope: Scope) -> MappedEvent | None:
        """Return the event, or None where the mapping leaves the row out. Raises `Unusable`."""


class ImportMapping(Struct, frozen=True, kw_only=True):
    """A file in `imports/`, or one that the command names. `text` is all of it, for its digest."""

    name: str
    mapping: RowMapping
    text: str
    description: str = ""
    source: str | None = None
    format: RowFormat = RowFormat()

    @property
    def digest(self) -> str:
        """A hash (16 hexadecimal digits) of all that decides which events the rows become."""
        return sha256(self.text.encode()).hexdigest()[:16]


class PlainRows:
    """The mapping of rows that have the members of an event, and properties beside them.

    `type`, `id`, `time`, `visitor`, `user`, `previous` and `session` are the event's; an empty one says nothing.
    `properties` and `context` are objects, or JSON texts of such. Every other member is a property, but for empty texts
    of CSV and nulls.
    """

    def event(self, scope: Scope) -> MappedEvent | None:
        """Return the event of a row. Raises `Unusable`."""
        row = dict(scope["row"])
        type = as_text("type", row.pop("type", None))
        if type is None:
            raise Absent("row.type")
        ids = {name: as_text(name, row.pop(name, None)) for name in IDS}
        id, time = as_text("id", row.pop("id", None)), row.pop("time", None)
        properties, context = (_object(name, row.pop(name, None)) for name in ("properties", "context"))
        others = {name: value for name, value in row.items() if value is not None and value != ""}
        return MappedEvent(
            type=type,
            id=id,
            time=None if time == "" else time,
            properties={**others, **properties},
            context=context,
            **ids,
        )


PLAIN: Final = ImportMapping(name="plain", mapping=PlainRows(), text="plain")


def _object(name: str, value: Any) -> dict[str, Any]:
    """Return an object, which CSV has as JSON. Raises `Unfit`."""
    if isinstance(value, str) and value.strip():
        with suppress(msgspec.DecodeError, RecursionError):  # then it is refused as a text
            value = msgspec.json.decode(value)
    return as_object(name, None if value == "" else value)
