"""Consent across links: a claim joins ids but proves nothing, so it cannot give a consent to another id."""

from engine.profile.cellpath import cell_path
from engine.profile.consent import is_given, is_time
from engine.profile.declared import Fields
from engine.profile.document import CellPath, Part, Path, Profile
from engine.profile.fold import fold_parts
from engine.profile.linking import own_ids
from engine.profile.tree import View

NEVER = -1  # ms


def consented(
    profile: Profile, id: str, name: str, now: int, view: View | None = None, fields: Fields | None = None
) -> bool:
    """Return whether the consent `name` holds at `now` (ms) for events under `id`. `view` is the fold, if at hand.

    A grant counts when it was written under `id` or an id that a proof joins to it; a revocation counts under any id.
    The newest of these decides. Removing or replacing the consent, or setting `given` to something that is not a time,
    revokes it; any write to `revoked` only makes the revocation newer. If two ids conflict at the same timestamp, the
    consent counts as not granted.
    """
    own = own_ids(profile, id)
    own_parts = [part for part in profile.parts.values() if part.id in own]
    if view is None or len(own_parts) < len(profile.parts):
        view = fold_parts(own_parts, fields)
    if not is_given(view.get("consents", {}), name, now):
        return False
    granted = max((_granted_at(part, name) for part in own_parts), default=NEVER)
    return granted > NEVER and all(_revoked_at(part, name, part.id in own) < granted for part in profile.parts.values())


def _granted_at(part: Part, name: str) -> int:
    """Return when (ms) the part last recorded that the consent is given, or NEVER."""
    whole, given = cell_path(("consents", name)), cell_path(("consents", name, "given"))
    if is_time(part.cells.get(given)):
        return _written_at(part, given)
    return _written_at(part, whole) if part.cells.get(whole) is True else NEVER


def _revoked_at(part: Part, name: str, own: bool) -> int:
    """Return when (ms) the part last recorded anything that revokes the consent, or NEVER."""
    granted = _granted_at(part, name) > NEVER
    cells: list[Path] = [("consents", name, "revoked")]
    if not granted:
        cells.append(("consents", name, "given"))
    if not (granted and own):  # else what was replaced there is older than the grant, or is the grant itself
        cells += [("consents",), ("consents", name)]
    return max(_written_at(part, cell_path(path)) for path in cells)


def _written_at(part: Part, cell: CellPath) -> int:
    """Return when (ms) the part last wrote or removed the value at exactly `cell`, or NEVER."""
    if cell in part.cells:
        return part.base + part.times.get(cell, 0)
    return part.base + part.marks[cell] if cell in part.marks else NEVER
