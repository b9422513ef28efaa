"""Rows of an imported file to events."""

from collections.abc import Mapping
from typing import Any

from engine.language.absent import Unusable
from engine.language.hidden import HASH_KEYS
from engine.language.zone import TIMEZONE
from engine.ports.rows import BadRow, Row
from engine.project.import_mapping import RowMapping
from engine.project.project import Settings
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.mending import kept_body
from engine.tracking.intake.payload import RejectedEvent


class RowTranslation:
    """Translates the rows of one file. `file` is its name, and `now` the time (ms) that expressions see."""

    def __init__(self, mapping: RowMapping, settings: Settings, file: str, now: int) -> None:
        self._mapping = mapping
        self._scope: Mapping[str, Any] = {
            "file": file,
            "now": now,
            TIMEZONE: settings.timezone,
            HASH_KEYS: settings.hash_keys,
        }

    def event(self, row: Row | BadRow) -> ForeignEvent | RejectedEvent | None:
        """Return the event of a row, the reason why it cannot be taken, or None where the mapping leaves it out.

        The place of an event is its line in the file. An event that is given no id has none here.
        """
        at = f"/line/{row.line}"
        if isinstance(row, BadRow):
            return RejectedEvent(row.number, row.reason, at, kept_body(row.raw))
        try:
            made = self._mapping.event({**self._scope, "row": row.value, "number": row.number})
        except Unusable as unusable:
            return RejectedEvent(row.number, unusable.reason, at, kept_body(row.raw))
        if made is None:
            return None
        return ForeignEvent(
            at=at,
            raw=row.raw,
            type=made.type,
            id=made.id,
            time=made.time,
            properties=dict(made.properties),
            context=dict(made.context),
            visitor=made.visitor,
            user=made.user,
            previous=made.previous,
            session=made.session,
        )
