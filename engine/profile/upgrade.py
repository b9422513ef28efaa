"""Upgrading: profiles as earlier versions stored them, with steps between ids, become profiles with links to keys.

A step joined two ids because the second one held a key, or for no key (`alias`). It becomes a link of each id to the
key, or one link between the two. Of an undone step, the link of the id that came in is undone. Earlier versions did not
keep with a profile that it had proven a key that no other profile had; `with_proof` adds that link.
"""

from msgspec import structs

from engine.profile.document import EarlierLink, Link, LinkKind, Profile
from engine.profile.linking import Pool, key_link, link_id, new_link

PROMISED = "promised"  # the cause of a step to an id that was answered while the store was away


def upgraded(profile: Profile) -> Profile:
    """Return a profile with links in the place of its steps; the same profile if it has none."""
    if not profile.steps:
        return profile
    pool = Pool.of(profile)
    for step in profile.steps.values():
        for link in _links_of(step, profile):
            pool = pool.joined_by(Profile(id=profile.id, created=0, links={link.id: link}))
    links = dict(sorted(pool.links.items()))
    return structs.replace(profile, links=links, steps={})


def with_proof(profile: Profile, id: str, cause: str) -> Profile:
    """Return a profile that records that `id`, one of its ids, has proven the key `cause`; the same if it does."""
    link = new_link(id, "proof", cause)
    if link.id in profile.links or id not in profile.parts:
        return profile
    return structs.replace(profile, links=dict(sorted({**profile.links, link.id: link}.items())))


def _links_of(step: EarlierLink, profile: Profile) -> list[Link]:
    kind: LinkKind = "claim" if step.claim else "proof"
    if step.cause == PROMISED:
        left = _came_in(step, profile)
        link = new_link(left, "own", step.left if left == step.right else step.right)
        return [structs.replace(link, undone=_undone(step))]
    if ":" not in step.cause:
        return [structs.replace(new_link(step.left, kind, step.right), undone=_undone(step), why=step.why)]
    key = key_link(step.cause, kind)
    came = _came_in(step, profile)
    return [
        Link(
            id=link_id(id, kind, key),
            left=id,
            right=key,
            kind=kind,
            undone=_undone(step) if id == came else 0,
            why=step.why if id == came else None,
        )
        for id in (step.left, step.right)
    ]


def _came_in(step: EarlierLink, profile: Profile) -> str:
    """Return the id under which the key came in; without a record of it, the id that was stored later."""
    if step.why is not None:
        return step.why.acting

    def stored(id: str) -> tuple[bool, int, str]:
        part = profile.parts.get(id)
        return part is None, part.created if part is not None else 0, id

    return max(step.left, step.right, key=stored)


def _undone(step: EarlierLink) -> int:
    return (step.undone_at or 1) if step.undone else 0
