"""The id of what came in at `/collect`, from where its source's file says that it is (`event_id`).

A system that delivers at least once sends the same delivery again, under the same id: so the event takes effect once. A
delivery without the id is rejected: taken without one, it would count twice when it is sent twice.
"""

from typing import Any

from msgspec import Struct

from engine.language.absent import ABSENT
from engine.language.path import parse_path, read
from engine.language.surrogates import REPLACEMENT
from engine.project.source import EventIdPlace
from engine.tracking.intake.data_limits import pointer
from engine.tracking.intake.ids import text_of_number
from engine.tracking.intake.mending import Fault
from engine.tracking.intake.payload import CUT
from engine.tracking.intake.usable_id import usable_id


class NoDeliveryId(Exception):
    """A delivery does not have the id that its source says it has. `fault` has its place in the delivery."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault[1])
        self.fault = fault


class DeliveryIds(Struct, frozen=True):
    """Finds the ids of one request. `header` is the value of the header that `place` names.

    `never` has the project's own placeholders.
    """

    place: EventIdPlace
    header: str | None
    never: frozenset[str]

    def of(self, properties: dict[str, Any], index: int | None) -> str:
        """Return the id of an event; `index` is its place in a list. Raises `NoDeliveryId`.

        A header names a whole list, so each of its events has the index behind the header's value. A path is read in
        each item.
        """
        if self.place.path is not None:
            names = parse_path(self.place.path)
            at = "".join([f"/{pointer(name)}" for name in names])
            found = read(properties, names)
            return self._checked(_text(found), f"`{self.place.path}`", at)
        id = self._checked(self.header, f"the header `{self.place.header}`", "")
        return id if index is None else self._checked(f"{id}-{index}", "", "")

    def _checked(self, given: str | None, place: str, at: str) -> str:
        if given is not None and REPLACEMENT in given:
            raise NoDeliveryId((at, f"the id in {place} {CUT}"))
        id = usable_id(given, self.never)
        if id is None:
            remedy = "send it there as text or as a whole number, or change `event_id` of the source"
            raise NoDeliveryId((at, f"{place} has no id of the delivery: {remedy}"))
        return id


def _text(value: Any) -> str | None:
    """Return an id as text; None for what can be none."""
    if value is ABSENT or isinstance(value, bool):
        return None
    if isinstance(value, int):
        try:
            return text_of_number(value)
        except ValueError:
            return None
    return value if isinstance(value, str) else None
