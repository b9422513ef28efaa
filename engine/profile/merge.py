"""Merging: steps join ids, and a profile is its ids connected over the steps that are not undone.

Parts and steps only ever gather, so merges give the same in any order and however often they are repeated. To undo is
for good: the same two ids and cause will not join again, another cause will.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from msgspec import json, structs

from engine.profile.document import Clash, Link, LinkOrigin, Profile, Standing

_JUDGE = 0  # its segments are to be worked out as soon as possible
_NEVER = Standing()


def link_id(left: str, right: str, cause: str) -> str:
    """The id of the step that joins two ids, in either order, for one cause."""
    return blake2b(json.encode([*sorted((left, right)), cause]), digest_size=16).hexdigest()


def connected(steps: Mapping[str, Link], id: str, proven: bool = False) -> set[str]:
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


def all_proven(profile: Profile, id: str) -> bool:
    """Whether all parts of a profile are joined to `id`, one of its ids, by proof."""
    return profile.parts.keys() <= connected(profile.links, id, proven=True)


def unite(profile: Profile, other: Profile, step: Link) -> Profile:
    """What becomes of two profiles that `step` joins; they may be one already.

    Gives `profile` itself when the step has been undone: what was set apart is not joined again by the same cause.
    The caller writes a `tombstone` over the one whose id the result does not have.
    """
    steps = _gathered([*profile.links.values(), *other.links.values(), step])
    if steps[step.id].undone:
        return profile
    first = min(profile, other, key=lambda each: (each.version == 0, each.created, each.id, -each.version))
    parts = dict(profile.parts)
    for part in other.parts.values():
        known = parts.get(part.id)
        if known is None or (part.last, part.visit_times) > (known.last, known.visit_times):
            parts[part.id] = part
    return Profile(
        id=first.id,
        created=first.created,
        version=first.version,
        parts=dict(sorted(parts.items())),
        links=steps,
        conditional=tuple(sorted({*profile.conditional, *other.conditional})),
        standing=_stood(profile.standing, other.standing),
        evaluated_at=max(profile.evaluated_at, other.evaluated_at),
        due=_JUDGE,
    )


def _stood(some: Mapping[str, Standing], others: Mapping[str, Standing]) -> dict[str, Standing]:
    """How two profiles together stand with segments, until that is worked out anew: as the one that was in first."""
    return {name: _first(some.get(name, _NEVER), others.get(name, _NEVER)) for name in sorted({*some, *others})}


def _first(one: Standing, other: Standing) -> Standing:
    def earliest(*times: int) -> int:
        return min([time for time in times if time], default=0)

    since, holds = earliest(one.since, other.since), earliest(one.holds_since, other.holds_since)
    return Standing(since, holds, max(one.held_until, other.held_until))


def tombstone(loser: Profile, winner_id: str) -> Profile:
    """What stays at the id of a profile that another one has taken over."""
    return Profile(id=loser.id, created=loser.created, version=loser.version + 1, merged_into=winner_id)


def unmerge(profile: Profile, step_id: str, now: int = 0) -> list[Profile]:
    """The profiles that are left when a step is undone, the one that keeps the id first; KeyError without that step.

    It is one profile, with the step marked, when other steps still join its ids (`still_joined` names them). Each of
    the others has version 0; who stores it gives it the version that follows the tombstone's in whose place it comes,
    and points the tombstones of its other ids at it.
    """
    undone = profile.links[step_id]
    marked = structs.replace(undone, undone=True, undone_at=undone.undone_at or now, why=_bare(undone.why))
    steps = {**profile.links, step_id: marked}
    ids = set(profile.parts)
    left: list[Profile] = []
    for first in (profile.id, *sorted(ids, key=lambda each: (profile.parts[each].created, each))):
        if first in ids:
            together = connected(steps, first)
            left.append(_share(profile, first, together, steps))
            ids -= together
    return left


def still_joined(profile: Profile, step_id: str) -> tuple[Link, ...]:
    """A shortest chain of other steps that joins the two ids of a step; empty when undoing it sets them apart."""
    start, end = profile.links[step_id].left, profile.links[step_id].right
    others = [step for step in profile.links.values() if step.id != step_id and not step.undone]
    chains: dict[str, tuple[Link, ...]] = {start: ()}
    todo = [start]
    for known in todo:
        for step in others:
            if known in (step.left, step.right):
                near = step.right if known == step.left else step.left
                if near not in chains:
                    chains[near] = (*chains[known], step)
                    todo.append(near)
    return chains.get(end, ())


def _share(profile: Profile, id: str, ids: set[str], steps: Mapping[str, Link]) -> Profile:
    """The profile that some of the ids make, with every step that touches them; of others it holds no values."""
    keeps = id == profile.id
    return Profile(
        id=id,
        created=profile.created if keeps else profile.parts[id].created,
        version=profile.version if keeps else 0,
        parts={part.id: part for part in profile.parts.values() if part.id in ids},
        links={step.id: _within(step, ids) for step in steps.values() if step.left in ids or step.right in ids},
        conditional=profile.conditional,
        standing=profile.standing,
        evaluated_at=profile.evaluated_at,
        due=_JUDGE,
    )


def _within(step: Link, ids: set[str]) -> Link:
    """A step as a profile of `ids` may hold it: without values that the others had."""
    why = step.why
    if why is None or not why.clashes:
        return step
    sides = (why.left, why.right)
    own = all(side is not None and not side.more and ids.issuperset(side.ids) for side in sides)
    return step if own else structs.replace(step, why=_bare(why))


def _bare(why: LinkOrigin | None) -> LinkOrigin | None:
    """The same without the values of either side."""
    if why is None or not why.clashes:
        return why
    return structs.replace(why, clashes=tuple([Clash(clash.path, clash.shown) for clash in why.clashes]))


def _gathered(steps: Iterable[Link]) -> dict[str, Link]:
    """All steps, by id and in its order."""
    found: dict[str, Link] = {}
    for step in steps:
        found[step.id] = _one(found.get(step.id, step), step)
    return dict(sorted(found.items()))


def _one(some: Link, other: Link) -> Link:
    """Two copies of a step as one: undone and proven win over not yet; it came about by the first proof, or claim."""
    left, right = sorted((some.left, some.right))
    first = min(some, other, key=_rank)
    undone = some.undone or other.undone
    return Link(
        id=some.id,
        left=left,
        right=right,
        cause=some.cause,
        claim=some.claim and other.claim,
        undone=undone,
        undone_at=min((each.undone_at for each in (some, other) if each.undone_at), default=0),
        why=_bare(first.why) if undone else first.why,
    )


def _rank(step: Link) -> tuple[Any, ...]:
    why = step.why
    if why is None:
        return step.claim, True
    bare = [clash.left is not None for clash in why.clashes]  # where one copy has lost its values, both do
    return step.claim, False, why.at, why.event, why.flow, why.node, bare, json.encode(why)
