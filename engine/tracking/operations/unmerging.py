"""Unmerging: a link is undone, as one unit of work.

Each side keeps the parts that came in under its ids, and so its events, which are stored under the id that acted; its
sessions lead to such an id, too. The key of the undone link is left to an id whose link to it holds, if there is one;
other keys stay with the ids that brought them. The undone link stays in both profiles.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from msgspec import Struct

from engine.ports.resolve import NoSuchProfile, NotFound
from engine.ports.store import Conflict, Contention, Store
from engine.ports.world import Clock
from engine.profile.document import Link, Profile
from engine.profile.grouping import regroup
from engine.profile.linking import Pool, still_joined, undo
from engine.project.project import Project
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.settling import BACKOFF, MAX_ATTEMPTS, settled_profile
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.set_apart import known_apart, rewritten

SHORTEST = 6  # characters by which a link may be named


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
        return await _once(store, project, clock.now(), await _settled(store, project, clock, id), link)

    return await _retried(once, id)


async def unmerge_served(pipeline: Pipeline, id: str, link: str) -> Unmerged:
    """Undo a link while a server runs: the profile's units wait for it. Raises as `unmerge_stored` does."""
    store = pipeline.store

    async def once() -> Unmerged:
        profile = await _settled(store, pipeline.project, pipeline.clock, id)
        async with pipeline.queues.rewriting(profile.id) as touched:
            touched |= {id, *profile.ids}
            profile = await _settled(store, pipeline.project, pipeline.clock, id)
            touched |= set(profile.ids)
            return await _once(store, pipeline.project, pipeline.clock.now(), profile, link)

    return await _retried(once, id)


async def _settled(store: Store, project: Project, clock: Clock, id: str) -> Profile:
    profile = await settled_profile(store, project, id, clock.now())
    if profile is None:
        raise NoSuchProfile(id)
    return profile


async def _retried(once: Callable[[], Awaitable[Unmerged]], id: str) -> Unmerged:
    for failures in range(1, MAX_ATTEMPTS + 1):
        with suppress(Conflict):
            return await once()
        await asyncio.sleep(BACKOFF.pause(failures, random.random()))  # noqa: S311 - only spreads them
    raise Contention(f"the profile {id} moved {MAX_ATTEMPTS} times while its link was undone")


async def _once(store: Store, project: Project, now: int, profile: Profile, named: str) -> Unmerged:
    link = link_of(profile, named)
    before = Pool(profile.parts, profile.links)
    still = still_joined(before, link)
    if link.undone:
        return Unmerged((known_apart(profile, project, now),), link, still)
    regrouped = regroup(undo(before, link.id, now), (profile,), profile.id)
    stored = await store.as_stored(regrouped.ids)
    unit, known = rewritten(regrouped, stored, project, before, now)
    await store.commit(unit)
    return Unmerged(tuple(known), regrouped.pool.links[link.id], still)


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
