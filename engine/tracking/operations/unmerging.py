"""Unmerging: a link is undone, as one unit of work.

Each side keeps the parts that came in under its ids, and so its events, which are stored under the id that acted; its
sessions lead to such an id, too. Keys stay with the ids that brought them. The undone link stays in both profiles.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct, structs

from engine.ports.backoff import BackoffFormula
from engine.ports.records import ProfileWrite, Unit
from engine.ports.resolve import NotFound, require_profile
from engine.ports.store import Conflict, Contention, Store
from engine.ports.world import Clock
from engine.profile.document import Link, Profile
from engine.profile.fold import fold
from engine.profile.merge import still_joined, tombstone, unmerge
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.triggers import Triggers

MAX_ATTEMPTS = 12  # when the documents keep moving
SHORTEST = 6  # characters by which a link may be named
BACKOFF: Final = BackoffFormula(first=0.005, longest=0.06)


class Unmerged(Struct, frozen=True):
    """The profiles that there are now, the link that is undone, and the links that join its ids all the same."""

    profiles: tuple[CachedProfile, ...]
    link: Link
    still: tuple[Link, ...] = ()


async def unmerge_stored(store: Store, project: Project, clock: Clock, id: str, link: str) -> Unmerged:
    """Undo a link of the profile that `id` leads to; `link` may be the start of its id.

    Raises `NotFound` and `Unavailable`.
    """

    async def once() -> Unmerged:
        return await _once(store, project, clock.now(), await require_profile(store, id), link)

    return await _retried(once, id)


async def unmerge_served(pipeline: Pipeline, id: str, link: str) -> Unmerged:
    """Undo a link while a server runs: the profile's units wait for it. Raises as `unmerge_stored` does."""
    store = pipeline.store

    async def once() -> Unmerged:
        profile = await require_profile(store, id)
        async with pipeline.queues.rewriting(profile.id) as touched:
            touched |= {id, *profile.ids}
            profile = await require_profile(store, id)
            touched |= set(profile.ids)
            return await _once(store, pipeline.project, pipeline.clock.now(), profile, link)

    return await _retried(once, id)


async def _retried(once: Callable[[], Awaitable[Unmerged]], id: str) -> Unmerged:
    for failures in range(1, MAX_ATTEMPTS + 1):
        with suppress(Conflict):
            return await once()
        await asyncio.sleep(BACKOFF.pause(failures, random.random()))  # noqa: S311 - only spreads them
    raise Contention(f"the profile {id} moved {MAX_ATTEMPTS} times while it was split")


async def _once(store: Store, project: Project, now: int, profile: Profile, named: str) -> Unmerged:
    link = link_of(profile, named)
    still = still_joined(profile, link.id)
    if link.undone:
        return Unmerged((_known(profile, project, now),), link, still)
    shares = unmerge(profile, link.id, now)
    stored = await store.as_stored(tuple(profile.parts))
    versions = {id: each.version for id, each in stored.items()} | {profile.id: profile.version}
    known = tuple([_known(_next(share, versions), project, now) for share in shares])
    writes = [ProfileWrite(each.profile, versions.get(each.profile.id, 0), each.view) for each in known]
    await store.commit(Unit(profiles=(*writes, *_redirected([each.profile for each in known], stored))))
    return Unmerged(known, known[0].profile.links.get(link.id, link), still)


def link_of(profile: Profile, named: str) -> Link:
    """Return the link whose id is, or starts with, `named`. Raises `NotFound`."""
    if named in profile.links:
        return profile.links[named]
    found = [link for id, link in profile.links.items() if len(named) >= SHORTEST and id.startswith(named)]
    if len(found) == 1:
        return found[0]
    several = "several links that begin with" if found else "no link"
    short = f" (name a link by at least {SHORTEST} characters of its id)" if len(named) < SHORTEST else ""
    raise NotFound(f"the profile {profile.id} has {several} {named}{short}")


def _next(share: Profile, versions: dict[str, int]) -> Profile:
    return structs.replace(share, version=versions.get(share.id, 0) + 1)


def _redirected(profiles: Sequence[Profile], stored: dict[str, Profile]) -> list[ProfileWrite]:
    """Return the tombstones that do not lead where their id belongs now."""
    found = []
    for profile in profiles:
        for id in profile.ids[1:]:
            stone = stored.get(id) or Profile(id=id, created=profile.parts[id].created)
            if stone.merged_into != profile.id:
                found.append(ProfileWrite(tombstone(stone, profile.id), stone.version))
    return found


def _known(profile: Profile, project: Project, now: int) -> CachedProfile:
    """Return a profile as it is stored, and its view with the segments that its own parts lead to.

    Where flows are triggered by segments that are left, it is stored with the segments it had, and due: the flows run
    when a server re-evaluates it.
    """
    tree = fold(profile, project.settings.fields)
    settled = project.segment_rules.with_membership(
        profile, profile_view(profile, tree), max(now, profile.evaluated_at)
    )
    stored = profile if Triggers(project).segment_events else settled
    return CachedProfile.of(stored, profile_view(settled, tree))
