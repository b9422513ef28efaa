"""The view of a profile: the document that flows read and that answers contain. Its roots are always present."""

from typing import Any

from engine.profile.declared import Fields
from engine.profile.document import Members, Profile
from engine.profile.operations import Operation
from engine.profile.recent import RECENT
from engine.profile.rounded_view import sums_of, with_sums
from engine.profile.tally import COUNTERS
from engine.profile.tree import View, change
from engine.profile.value import members
from engine.profile.visits import visits

WRITABLE = ("traits", "pii", "consents")  # roots that nodes may write to; segments have nodes of their own


def profile_view(profile: Profile, tree: View) -> dict[str, Any]:
    """Return the view of a profile whose fold is `tree`: with its ids, all its segments and its times (ms)."""
    manual = tree.get("segments")
    view = {
        "id": profile.id,
        "ids": list(profile.ids),
        "traits": tree.get("traits", {}),
        "pii": tree.get("pii", {}),
        "consents": tree.get("consents", {}),
        "segments": members((*(manual if isinstance(manual, Members) else ()), *profile.conditional)),
        "counters": tree.get(COUNTERS, {}),
        "metadata": metadata(profile),
    }
    if RECENT in tree:
        view[RECENT] = tree[RECENT]
    return view if type(tree) is dict else with_sums(view, sums_of(tree))


def metadata(profile: Profile) -> dict[str, int]:
    """Return when a profile was created, last changed and seen (ms), its version (commits) and its number of visits."""
    updated = max([part.last for part in profile.parts.values()], default=profile.created)
    return {"created": profile.created, "updated": updated, "version": profile.version, **visits(profile)}


def change_view(view: dict[str, Any], op: Operation, fields: Fields | None = None) -> dict[str, Any]:
    """Return the view after one operation, as `tree.change` does, except that a root which becomes empty stays."""
    changed = change(view, op, fields)
    root = op.path[0]
    if root not in changed:
        changed[root] = Members() if root == "segments" else {}  # `changed` is a copy: the operation removed the root
    return changed
