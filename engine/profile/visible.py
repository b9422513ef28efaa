"""What may be seen and what is consented to, by who joined what: a claim joins ids, yet proves nothing.

A part that was written while parts joined by a claim were in sight may hold what was copied from them, so it is never
shown to a sender without authority, also after the claim was undone.
"""

from engine.profile.cellpath import cell_path
from engine.profile.declared import Fields
from engine.profile.document import CellPath, Part, Profile
from engine.profile.fold import NEVER, Stamp, fold_parts
from engine.profile.merge import connected
from engine.profile.view import View


def view_for(profile: Profile, id: str, fields: Fields | None = None) -> View:
    """What a sender without authority that acts under `id` may see of a profile."""
    own = connected(profile.steps, id, proven=True)
    return fold_parts([part for part in profile.parts.values() if part.id in own and not part.mixed], fields)


def consented(profile: Profile, id: str, name: str) -> bool:
    """Whether the consent `name` holds for what happens under `id`.

    A grant counts for ids joined to its own by proof, a revocation for all. Removing or replacing the consent, or
    setting `given` to false or null, revokes; what is done to `revoked` only ever makes it newer.
    """
    given = cell_path(("consents", name, "given"))
    revoking = [cell_path(("consents",)), cell_path(("consents", name))]
    revoked = cell_path(("consents", name, "revoked"))
    own = connected(profile.steps, id, proven=True)
    granted = replaced = taken = NEVER
    for part in profile.parts.values():
        if part.cells.get(given):
            if part.id in own:
                granted = max(granted, _written(part, given))
        else:
            taken = max(taken, _written(part, given))
        taken = max(taken, _written(part, revoked))
        replaced = max(replaced, *(_written(part, cell) for cell in revoking))
    return granted > taken and granted >= replaced


def _written(part: Part, cell: CellPath) -> Stamp:
    """When a part last wrote or removed what is at `cell` itself."""
    if cell in part.cells:
        return part.base + part.times.get(cell, 0), part.id
    return (part.base + part.marks[cell], part.id) if cell in part.marks else NEVER
