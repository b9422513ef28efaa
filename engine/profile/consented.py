"""Consent across links: a claim joins ids but proves nothing, so it cannot give a consent to another id."""

from engine.profile.cellpath import cell_path
from engine.profile.consent import is_given, is_time
from engine.profile.declared import Fields
from engine.profile.document import CellPath, Part, Path, Profile
from engine.profile.fold import fold_parts
from engine.profile.merge import connected
from engine.profile.tree import View

NEVER = -1  # ms


def consented(
    profile: Profile, id: str, name: str, now: int, view: View | None = None, fields: Fields | None = None
) -> bool:
    """Whether the consent `name` holds at `now` (ms) for what happens under `id`. `view` is the fold, if it is known.

    A grant counts for ids joined to its own by proof, a revocation for all, and it has to be the newest word. Removing
    or replacing the consent, or setting `given` to what is no time, revokes; what is done to `revoked` only ever makes
    it newer. Of what was said at the same time under two ids, no grant holds.
    """
    own = connected(profile.links, id, proven=True)
    parts = [part for part in profile.parts.values() if part.id in own]
    if view is None or len(parts) < len(profile.parts):
        view = fold_parts(parts, fields)
    if not is_given(view.get("consents", {}), name, now):
        return False
    granted = max((_granted(part, name) for part in parts), default=NEVER)
    return granted > NEVER and all(_against(part, name, part.id in own) < granted for part in profile.parts.values())


def _granted(part: Part, name: str) -> int:
    """When (ms) a part was last told that the consent is given."""
    whole, given = cell_path(("consents", name)), cell_path(("consents", name, "given"))
    if is_time(part.cells.get(given)):
        return _written(part, given)
    return _written(part, whole) if part.cells.get(whole) is True else NEVER


def _against(part: Part, name: str, own: bool) -> int:
    """When (ms) a part was last told anything that speaks against the consent."""
    granted = _granted(part, name) > NEVER
    cells: list[Path] = [("consents", name, "revoked")]
    if not granted:
        cells.append(("consents", name, "given"))
    if not (granted and own):  # else what was replaced there is older than the grant, or the grant itself
        cells += [("consents",), ("consents", name)]
    return max(_written(part, cell_path(path)) for path in cells)


def _written(part: Part, cell: CellPath) -> int:
    """When (ms) a part last wrote or removed what is at `cell` itself."""
    if cell in part.cells:
        return part.base + part.times.get(cell, 0)
    return part.base + part.marks[cell] if cell in part.marks else NEVER
