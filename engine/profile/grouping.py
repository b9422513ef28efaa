"""Grouping: the documents that a pool of parts and links makes, one for each group.

`regroup` alone decides what a profile takes over from others and what each receives that is set apart: units, undone
links, and provisional ids call it, so a new field of a profile is added here. One that must not be lost if a merge is
begun and not committed is added to `storage/elasticsearch/tombstone_chain.py`, too.

The *rank* (created, id) of an id never changes, and a profile's document is named by the lowest of its ids. So the
tombstones of ids lead to a lower rank only, also after profiles were set apart, and never in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from engine.profile.document import Part, Profile, Standing
from engine.profile.link_values import visible_to
from engine.profile.linking import Pool, groups
from engine.profile.owed import united, waits_of

DUE_AT_ONCE = 0  # value of `Profile.due`: evaluate its segments, and resume its ripe waits, as soon as possible
_NO_STANDING = Standing()


class Regrouped(Struct, frozen=True):
    """The profiles that are to be written, the winner's first; their versions are those that were read, or 0.

    `documents` are those that they replace, as they were read. `pool` has the parts as they are ranked.
    """

    profiles: tuple[Profile, ...]
    documents: tuple[Profile, ...]
    pool: Pool

    @property
    def sets_apart(self) -> bool:
        """Whether a profile is set apart: then all documents of the ids must be known to write them."""
        return len(self.profiles) > 1

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids of the profiles."""
        return tuple([id for profile in self.profiles for id in profile.parts])

    def of(self, id: str) -> Profile:
        """Return the profile that has an id."""
        return next(profile for profile in self.profiles if id in profile.parts)


def regroup(pool: Pool, documents: Sequence[Profile], *kept: str | None) -> Regrouped:
    """Return the profiles of a pool. `documents` are those that it was made of, each as it was read.

    A document that is as it was is left out, unless it has one of the ids `kept`.
    """
    together = groups(pool)
    changed = [
        each for each in documents if not each.parts.keys().isdisjoint(kept) or not _is_unchanged(each, pool, together)
    ]
    winner = min(changed, key=_rank)
    pool = _ranked(pool, changed, winner)
    held = {id for document in changed for id in document.parts}
    mine = [ids for ids in together if not held.isdisjoint(ids)]
    mine.sort(key=lambda ids: (winner.id not in ids, sorted(ids)))
    profiles = tuple([_profile(ids, pool, changed, winner) for ids in mine])
    return Regrouped(profiles, tuple(changed), pool)


def versioned(regrouped: Regrouped, stored: Mapping[str, Profile]) -> dict[str, int]:
    """Return the versions of the documents that are written over: as they were read with the pool, else as stored."""
    versions = {id: each.version for id, each in stored.items()}
    for document in sorted(regrouped.documents, key=lambda each: -each.version):  # of two copies the older one decides
        versions[document.id] = document.version
    return versions


def redirected(regrouped: Regrouped, stored: Mapping[str, Profile]) -> list[Profile]:
    """Return the tombstones to write, each with the version of the document that it replaces.

    `stored` are the documents at the profiles' ids; it may be empty if no profile is set apart.
    """
    versions, found = versioned(regrouped, stored), list[Profile]()
    living = {document.id for document in regrouped.documents}
    for profile in regrouped.profiles:
        is_apart = profile is not regrouped.profiles[0]
        for id in profile.ids[1:]:
            there = stored.get(id)
            leads = there.merged_into if there is not None else None
            if id in living or is_apart or (regrouped.sets_apart and leads != profile.id):
                stone = Profile(id=id, created=profile.parts[id].created, version=versions.get(id, 0))
                found.append(tombstone(stone, profile.id))
    return found


def tombstone(loser: Profile, winner_id: str) -> Profile:
    """Return the document to store at the id of a profile that was merged into another one."""
    return Profile(id=loser.id, created=loser.created, version=loser.version + 1, merged_into=winner_id)


def left_keys(before: Pool, after: Pool) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return the keys of links that have ceased or were undone: each with the id that gets it, and those that lose it.

    The first id whose link still holds gets it; without one the key stays where it is.
    """
    ended = [link for link in after.links.values() if not link.holds and before.links.get(link.id) != link]
    found = []
    for key in sorted({link.right for link in ended if link.right not in after.parts}):
        stay = sorted(link.left for link in after.links.values() if link.right == key and link.holds)
        gone = sorted(link.left for link in after.links.values() if link.right == key and not link.holds)
        if stay:
            found.append((key, stay[0], tuple(gone)))
    return found


def _rank(document: Profile) -> tuple[bool, int, str]:
    return document.version == 0, document.created, document.id


def _is_unchanged(document: Profile, pool: Pool, together: Iterable[frozenset[str]]) -> bool:
    ids = document.parts.keys()
    if any(document.links.get(link.id) != link for link in pool.links.values() if _touches(link.left, link.right, ids)):
        return False
    return frozenset(ids) in together


def _touches(left: str, right: str, ids: Iterable[str]) -> bool:
    return left in ids or right in ids


def _ranked(pool: Pool, documents: Sequence[Profile], winner: Profile) -> Pool:
    """Return the pool in which ids that are not stored yet rank behind the winner."""
    parts: dict[str, Part] = dict(pool.parts)
    for document in documents:
        if document.version == 0 and document is not winner:
            for id in document.parts:
                if parts[id].created <= winner.created:
                    parts[id] = structs.replace(parts[id], created=winner.created + 1)
    return Pool(parts, pool.links)


def _profile(ids: frozenset[str], pool: Pool, documents: Sequence[Profile], winner: Profile) -> Profile:
    parts = {id: pool.parts[id] for id in sorted(ids)}
    id = winner.id if winner.id in ids else min(ids, key=lambda each: (parts[each].created, each))
    before = [document for document in documents if not ids.isdisjoint(document.parts)]
    owed = united(before)
    as_it_was = next((each for each in before if each.id == id), None)
    return Profile(
        id=id,
        created=as_it_was.created if as_it_was is not None else parts[id].created,
        version=as_it_was.version if as_it_was is not None else 0,
        parts=parts,
        links={
            link.id: visible_to(link, ids)
            for link in sorted(pool.links.values(), key=lambda each: each.id)
            if _touches(link.left, link.right, ids)
        },
        conditional=tuple(sorted({name for document in before for name in document.conditional})),
        standing=_standing(before),
        evaluated_at=max(document.evaluated_at for document in before),
        due=DUE_AT_ONCE,
        waits=waits_of(united(documents).waits, ids, pool.parts, first=winner.id in ids),
        tails=owed.tails,
        fired=owed.fired,
    )


def _standing(documents: Sequence[Profile]) -> dict[str, Standing]:
    """Return the standing in segments until they are evaluated again: that of the first document to enter each."""
    standing = documents[0].standing
    for document in documents[1:]:
        standing = {
            name: _earlier(standing.get(name, _NO_STANDING), document.standing.get(name, _NO_STANDING))
            for name in sorted({*standing, *document.standing})
        }
    return standing


def _earlier(left: Standing, right: Standing) -> Standing:
    def earliest(*times: int) -> int:
        return min([time for time in times if time], default=0)

    since, holds_since = earliest(left.since, right.since), earliest(left.holds_since, right.holds_since)
    return Standing(since, holds_since, max(left.held_until, right.held_until))
