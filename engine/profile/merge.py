"""Merging: steps join ids, and a profile is its ids connected over the steps that are not undone.

Parts and steps only ever gather, so merges give the same in any order and however often they are repeated. To undo is
for good: the same two ids and cause will not join again, another cause will.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from msgspec import json

from engine.profile.document import Profile, Step


def step_id(left: str, right: str, cause: str) -> str:
    """The id of the step that joins two ids, in either order, for one cause."""
    return blake2b(json.encode([*sorted((left, right)), cause]), digest_size=16).hexdigest()


def connected(steps: Mapping[str, Step], id: str, proven: bool = False) -> set[str]:
    """The ids joined to `id` by steps that are not undone; with `proven` only by those that are no mere claims."""
    near: dict[str, list[str]] = {}
    for step in steps.values():
        if not step.undone and not (proven and step.claim):
            near.setdefault(step.left, []).append(step.right)
            near.setdefault(step.right, []).append(step.left)
    found, todo = {id}, [id]
    while todo:
        for other in near.get(todo.pop(), ()):
            if other not in found:
                found.add(other)
                todo.append(other)
    return found


def unite(profile: Profile, other: Profile, step: Step) -> Profile:
    """What becomes of two profiles that `step` joins; they may be one already.

    Gives `profile` itself when the step has been undone: what was set apart is not joined again by the same cause.
    The caller writes a `tombstone` over the one whose id the result does not have.
    """
    steps = _gathered([*profile.steps.values(), *other.steps.values(), step])
    if steps[step.id].undone:
        return profile
    first = min(profile, other, key=lambda each: (each.version == 0, each.created, each.id, -each.version))
    parts = dict(profile.parts)
    for part in other.parts.values():
        known = parts.get(part.id)
        if known is None or part.last > known.last:
            parts[part.id] = part
    return Profile(
        id=first.id,
        created=first.created,
        version=first.version,
        parts=dict(sorted(parts.items())),
        steps=steps,
        conditional=first.conditional,
    )


def tombstone(loser: Profile, winner_id: str) -> Profile:
    """What stays at the id of a profile that another one has taken over."""
    return Profile(id=loser.id, created=loser.created, version=loser.version + 1, merged_into=winner_id)


def unmerge(profile: Profile, step_id: str) -> list[Profile]:
    """The profiles that are left when a step is undone, the one that keeps the id first; KeyError without that step.

    It is one profile, with the step marked, when other steps still join its ids (`still_joined` names them). Each of
    the others has version 0; who stores it gives it the version that follows the tombstone's in whose place it comes,
    and points the tombstones of its other ids at it.
    """
    undone = profile.steps[step_id]
    steps = {**profile.steps, step_id: _mark_undone(undone)}
    ids = set(profile.parts)
    left: list[Profile] = []
    for first in (profile.id, *sorted(ids, key=lambda each: (profile.parts[each].created, each))):
        if first in ids:
            together = connected(steps, first)
            left.append(_share(profile, first, together, steps))
            ids -= together
    return left


def still_joined(profile: Profile, step_id: str) -> tuple[Step, ...]:
    """A shortest chain of other steps that joins the two ids of a step; empty when undoing it sets them apart."""
    start, end = profile.steps[step_id].left, profile.steps[step_id].right
    others = [step for step in profile.steps.values() if step.id != step_id and not step.undone]
    chains: dict[str, tuple[Step, ...]] = {start: ()}
    todo = [start]
    for known in todo:
        for step in others:
            if known in (step.left, step.right):
                near = step.right if known == step.left else step.left
                if near not in chains:
                    chains[near] = (*chains[known], step)
                    todo.append(near)
    return chains.get(end, ())


def _share(profile: Profile, id: str, ids: set[str], steps: Mapping[str, Step]) -> Profile:
    """The profile that some of the ids make, with every step that touches them."""
    keeps = id == profile.id
    return Profile(
        id=id,
        created=profile.created if keeps else profile.parts[id].created,
        version=profile.version if keeps else 0,
        parts={part.id: part for part in profile.parts.values() if part.id in ids},
        steps={step.id: step for step in steps.values() if step.left in ids or step.right in ids},
        conditional=profile.conditional if keeps else (),
    )


def _gathered(steps: Iterable[Step]) -> dict[str, Step]:
    """All steps, by id and in its order. Of copies of one, undone and proven win over not yet."""
    found: dict[str, Step] = {}
    for step in steps:
        known = found.get(step.id, step)
        left, right = sorted((step.left, step.right))
        found[step.id] = Step(
            id=step.id,
            left=left,
            right=right,
            cause=step.cause,
            claim=step.claim and known.claim,
            undone=step.undone or known.undone,
        )
    return dict(sorted(found.items()))


def _mark_undone(step: Step) -> Step:
    return Step(id=step.id, left=step.left, right=step.right, cause=step.cause, claim=step.claim, undone=True)
