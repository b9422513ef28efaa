"""Unmerging: a step is undone, as one unit of work.

Each side keeps the parts that came in under its ids, and so its events, which are stored under the id that acted; its
sessions lead to such an id, too. Keys stay with the ids that brought them. The step stays as a mark in both.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct, structs

from engine.ports.records import ProfileWrite, Unit
from engine.ports.resolve import NotFound, require_profile
from engine.ports.store import Conflict, Contention, Store
from engine.ports.world import Clock
from engine.profile.document import Link, Profile
from engine.profile.fold import fold
from engine.profile.merge import still_joined, tombstone, unmerge
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.triggers import Triggers

MAX_RUNS = 12  # when the documents keep moving
SHORTEST = 6  # characters by which a step may be named


class Unmerged(Struct, frozen=True):
    """What there is now: the profiles, the step that is undone, and the steps that join its ids all the same."""

    profiles: tuple[CachedProfile, ...]
    step: Link
    still: tuple[Link, ...] = ()


async def unmerge_stored(store: Store, project: Project, clock: Clock, id: str, step: str) -> Unmerged:
    """Undo a step of the profile that `id` leads to; `step` may be the beginning of its id.

    Raises `NotFound` and `Unavailable`.
    """
    for run in range(MAX_RUNS):
        try:
            return await _once(store, project, clock.now(), await require_profile(store, id), step)
        except Conflict:
            await asyncio.sleep(0.005 * run)
    raise _moving(id)


async def unmerge_served(tracker: Tracker, id: str, step: str) -> Unmerged:
    """The same beside the units of a server: in turn with those of the profile, which are held up that long."""
    store, lines = tracker.store, tracker.queues
    for run in range(MAX_RUNS):
        profile = await require_profile(store, id)
        line, _ = await lines.acquire(profile.id)
        try:
            await lines.drained(line)
            profile = await require_profile(store, id)
            return await _once(store, tracker.project, tracker.clock.now(), profile, step)
        except Conflict:
            pass
        finally:
            tracker.cache.forget(None, {id, *profile.ids})
            lines.release(line)
        await asyncio.sleep(0.005 * run)
    raise _moving(id)


async def _once(store: Store, project: Project, now: int, profile: Profile, named: str) -> Unmerged:
    step = step_of(profile, named)
    if step.undone:
        return Unmerged((_known(profile, project, now),), step, still_joined(profile, step.id))
    still = still_joined(profile, step.id)
    shares = unmerge(profile, step.id, now)
    stored = await store.as_stored(tuple(profile.parts))
    versions = {id: each.version for id, each in stored.items()} | {profile.id: profile.version}
    known = tuple([_known(_next(share, versions), project, now) for share in shares])
    writes = [ProfileWrite(each.profile, versions.get(each.profile.id, 0), each.view) for each in known]
    await store.commit(Unit(profiles=(*writes, *_pointed([each.profile for each in known], stored))))
    return Unmerged(known, known[0].profile.links.get(step.id, step), still)


def step_of(profile: Profile, named: str) -> Link:
    """The step whose id is, or begins with, `named`. Raises `NotFound`."""
    if named in profile.links:
        return profile.links[named]
    found = [step for id, step in profile.links.items() if len(named) >= SHORTEST and id.startswith(named)]
    if len(found) == 1:
        return found[0]
    several = "several links that begin with" if found else "no link"
    short = f" (name a link by at least {SHORTEST} characters of its id)" if len(named) < SHORTEST else ""
    raise NotFound(f"the profile {profile.id} has {several} {named}{short}")


def _next(share: Profile, versions: dict[str, int]) -> Profile:
    return structs.replace(share, version=versions.get(share.id, 0) + 1)


def _pointed(people: Sequence[Profile], stored: dict[str, Profile]) -> list[ProfileWrite]:
    """The tombstones that do not lead where their id belongs now."""
    found = []
    for profile in people:
        for id in profile.ids[1:]:
            stone = stored.get(id) or Profile(id=id, created=profile.parts[id].created)
            if stone.merged_into != profile.id:
                found.append(ProfileWrite(tombstone(stone, profile.id), stone.version))
    return found


def _known(profile: Profile, project: Project, now: int) -> CachedProfile:
    """A profile as it is stored, and what it shows with the segments that its own parts make.

    Where flows hear of segments that are left, it is stored with those it had, and due: they hear of it when a server
    looks at it.
    """
    tree = fold(profile, project.settings.fields)
    settled = project.segment_rules.with_membership(
        profile, profile_view(profile, tree), max(now, profile.evaluated_at)
    )
    stored = profile if Triggers(project).segment_events else settled
    return CachedProfile(stored, profile_view(settled, tree))


def _moving(id: str) -> Contention:
    return Contention(f"the profile {id} moved {MAX_RUNS} times while it was split")
