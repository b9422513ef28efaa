"""Ids that other systems have made, in the form in which events may have them."""

from engine.ports.ids import short_hash
from engine.profile.placeholder import placeholder_reason
from engine.tracking.intake.ids import MAX_ID
from engine.tracking.intake.payload import usable


def usable_id(id: str | None, never: frozenset[str]) -> str | None:
    """Return an id of at most `MAX_ID` printable characters; a hash in place of another one, None for a placeholder."""
    if not id:
        return None
    if len(id) > MAX_ID or not usable(id):
        id = id.strip()
        if id and (len(id) > MAX_ID or not usable(id)):
            return short_hash("id", id)
    return None if not id or placeholder_reason(id, never) else id
