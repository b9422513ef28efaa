"""Merging: links join ids, and a profile consists of all ids that links connect, undone links excepted.

Parts and links are only ever added, so merges have the same result in any order and however often they are repeated.
Undoing a link is for good: the same two ids and cause never join again, while another cause may join them.

`unite` alone decides what a merge takes over, and `unmerge` what each side receives: units, provisional ids, and stores
that complete a merge later call them, so a new field of a profile is added here and nowhere else.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from msgspec import json, structs

from engine.profile.document import Clash, Link, LinkOrigin, Profile, Standing

_DUE_AT_ONCE = 0  # value of `Profile.due`: evaluate its segments as soon as possible
_NO_STANDING = Standing()


def link_id(left: str, right: str, cause: str) -> str:
    """Return the id of the link that joins two ids, in either order, for one cause: 32 hexadecimal digits."""
    return blake2b(json.encode([*sorted((left, right)), cause]), digest_size=16).hexdigest()


def connected(links: Mapping[str, Link], id: str, proven: bool = False) -> set[str]:
    """Return the ids that links join to `id`, itself included; with `proven`, claims do not count."""
    neighbours: dict[str, list[str]] = {}
    for link in links.values():
        if not link.undone and not (proven and link.claim):
            neighbours.setdefault(link.left, []).append(link.right)
            neighbours.setdefault(link.right, []).append(link.left)
    reached, todo = {id}, [id]
    while todo:
        for other in neighbours.get(todo.pop(), ()):
            if other not in reached:
                reached.add(other)
                todo.append(other)
    return reached


def all_proven(profile: Profile, id: str) -> bool:
    """Return whether proofs alone join all parts of a profile to `id`, one of its ids."""
    return profile.parts.keys() <= connected(profile.links, id, proven=True)


def unite(profile: Profile, other: Profile, link: Link) -> Profile:
    """Return the profile that two profiles (perhaps copies of one) become when `link` joins them.

    Returns `profile` itself when the link is undone in either of them: the same cause does not join its ids again.
    The caller writes a `tombstone` over the profile whose id the result does not have.
    """
    links = _united_links([*profile.links.values(), *other.links.values(), link])
    if links[link.id].undone:
        return profile
    winner = min(profile, other, key=lambda each: (each.version == 0, each.created, each.id, -each.version))
    parts = dict(profile.parts)
    for part in other.parts.values():
        known = parts.get(part.id)
        if known is None or (part.last, part.visit_times) > (known.last, known.visit_times):
            parts[part.id] = part
    return Profile(
        id=winner.id,
        created=winner.created,
        version=winner.version,
        parts=dict(sorted(parts.items())),
        links=links,
        conditional=tuple(sorted({*profile.conditional, *other.conditional})),
        standing=_united_standing(profile.standing, other.standing),
        evaluated_at=max(profile.evaluated_at, other.evaluated_at),
        due=_DUE_AT_ONCE,
    )


def _united_standing(left: Mapping[str, Standing], right: Mapping[str, Standing]) -> dict[str, Standing]:
    """Return the merged profile's standing in segments until they are evaluated again: that of the first to enter."""
    return {
        name: _earlier_standing(left.get(name, _NO_STANDING), right.get(name, _NO_STANDING))
        for name in sorted({*left, *right})
    }


def _earlier_standing(left: Standing, right: Standing) -> Standing:
    def earliest(*times: int) -> int:
        return min([time for time in times if time], default=0)

    since, holds_since = earliest(left.since, right.since), earliest(left.holds_since, right.holds_since)
    return Standing(since, holds_since, max(left.held_until, right.held_until))


def tombstone(loser: Profile, winner_id: str) -> Profile:
    """Return the document to store at the id of a profile that was merged into another one."""
    return Profile(id=loser.id, created=loser.created, version=loser.version + 1, merged_into=winner_id)


def unmerge(profile: Profile, undone_id: str, now: int = 0) -> list[Profile]:
    """Undo a link and return the resulting profiles, the one that keeps the id first. `now` is in ms.

    There is one profile, with the link marked, when other links still join its ids (`still_joined` names them). Each
    further profile has version 0: the caller stores it with the version after that of the tombstone it replaces, and
    points the tombstones of its other ids at it. Raises `KeyError` when the profile has no such link.
    """
    undone = profile.links[undone_id]
    marked = structs.replace(undone, undone=True, undone_at=undone.undone_at or now, why=_without_values(undone.why))
    links = {**profile.links, undone_id: marked}
    ids = set(profile.parts)
    profiles: list[Profile] = []
    for first in (profile.id, *sorted(ids, key=lambda each: (profile.parts[each].created, each))):
        if first in ids:
            together = connected(links, first)
            profiles.append(_split_off(profile, first, together, links))
            ids -= together
    return profiles


def still_joined(profile: Profile, undone_id: str) -> tuple[Link, ...]:
    """Return a shortest chain of other links that joins the two ids of a link; empty when undoing it splits them."""
    start, end = profile.links[undone_id].left, profile.links[undone_id].right
    others = [link for link in profile.links.values() if link.id != undone_id and not link.undone]
    chains: dict[str, tuple[Link, ...]] = {start: ()}
    todo = [start]
    for id in todo:
        for link in others:
            if id in (link.left, link.right):
                neighbour = link.right if id == link.left else link.left
                if neighbour not in chains:
                    chains[neighbour] = (*chains[id], link)
                    todo.append(neighbour)
    return chains.get(end, ())


def _split_off(profile: Profile, id: str, ids: set[str], links: Mapping[str, Link]) -> Profile:
    """Return the profile of some of the ids, with every link that touches them, and no values of the other ids."""
    keeps_id = id == profile.id
    return Profile(
        id=id,
        created=profile.created if keeps_id else profile.parts[id].created,
        version=profile.version if keeps_id else 0,
        parts={part.id: part for part in profile.parts.values() if part.id in ids},
        links={link.id: _visible_to(link, ids) for link in links.values() if link.left in ids or link.right in ids},
        conditional=profile.conditional,
        standing=profile.standing,
        evaluated_at=profile.evaluated_at,
        due=_DUE_AT_ONCE,
    )


def _visible_to(link: Link, ids: set[str]) -> Link:
    """Return the link as a profile of `ids` may keep it: without values that belong to other ids."""
    origin = link.why
    if origin is None or not origin.clashes:
        return link
    sides = (origin.left, origin.right)
    all_own = all(side is not None and not side.more and ids.issuperset(side.ids) for side in sides)
    return link if all_own else structs.replace(link, why=_without_values(origin))


def _without_values(origin: LinkOrigin | None) -> LinkOrigin | None:
    """Return the origin without the values of either side; the paths of its clashes stay."""
    if origin is None or not origin.clashes:
        return origin
    return structs.replace(origin, clashes=tuple([Clash(clash.path, clash.shown) for clash in origin.clashes]))


def _united_links(links: Iterable[Link]) -> dict[str, Link]:
    """Return all links by id, sorted by id; copies of one link become one."""
    by_id: dict[str, Link] = {}
    for link in links:
        by_id[link.id] = _united_link(by_id.get(link.id, link), link)
    return dict(sorted(by_id.items()))


def _united_link(copy: Link, other: Link) -> Link:
    """Return two copies of a link as one. Undone and proven win; its origin is that of the first proof, else claim."""
    left, right = sorted((copy.left, copy.right))
    first = min(copy, other, key=_rank)
    undone = copy.undone or other.undone
    return Link(
        id=copy.id,
        left=left,
        right=right,
        cause=copy.cause,
        claim=copy.claim and other.claim,
        undone=undone,
        undone_at=min((each.undone_at for each in (copy, other) if each.undone_at), default=0),
        why=_without_values(first.why) if undone else first.why,
    )


def _rank(link: Link) -> tuple[Any, ...]:
    """Return a sort key that puts the copy first whose origin the united link keeps."""
    origin = link.why
    if origin is None:
        return link.claim, True
    with_values = [clash.left is not None for clash in origin.clashes]  # a copy without values goes first
    return link.claim, False, origin.at, origin.event, origin.flow, origin.node, with_values, json.encode(origin)
