"""Why: who a profile is and what joined it, as people and programs read it."""

from typing import Any

from engine.profile.declared import Fields
from engine.profile.digest import digest
from engine.profile.document import Link, Profile, Side


def explain_identity(profile: Profile, fields: Fields | None = None) -> dict[str, Any]:
    """A profile's parts, and the steps that join them or were undone, in the order in which they came about."""
    steps = sorted(profile.links.values(), key=lambda step: (step.why.at if step.why else 0, step.id))
    return {
        "digest": digest(profile, fields),
        "parts": [
            {"id": part.id, "created": part.created, "updated": part.last, **({"mixed": True} if part.mixed else {})}
            for part in sorted(profile.parts.values(), key=lambda part: (part.id != profile.id, part.created, part.id))
        ],
        "steps": [describe_link(step) for step in steps],
    }


def describe_link(step: Link) -> dict[str, Any]:
    """A step, as a document without keys that say nothing."""
    found: dict[str, Any] = {
        "step": step.id,
        "left": step.left,
        "right": step.right,
        "cause": step.cause,
        "by": "claim" if step.claim else "proof",
    }
    if step.undone:
        found["undone"] = step.undone_at
    if step.why is None:
        return found
    reason = step.why
    for name in ("at", "event", "type", "flow", "node", "acting", "won"):
        found[name] = getattr(reason, name)
    if reason.left is not None and reason.right is not None:
        found["held"] = {"left": _side(reason.left), "right": _side(reason.right)}
    if reason.clashes:
        found["clashes"] = [
            {
                "path": clash.path,
                "shown": clash.shown,
                **({"left": clash.left, "right": clash.right} if clash.left is not None else {}),
            }
            for clash in reason.clashes
        ]
    if reason.more:
        found["more_clashes"] = reason.more
    return found


def _side(side: Side) -> dict[str, Any]:
    return {"ids": list(side.ids), **({"more": side.more} if side.more else {})}
