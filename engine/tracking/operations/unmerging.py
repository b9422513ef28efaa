"""Unmerging: a step is undone, as one unit of work.

Each side keeps the parts that came in under its ids, and so its events, which are stored under the id that acted; its
sessions lead to such an id, too. Keys stay with the ids that brought them. The step stays as a mark in both.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct, structs

from engine.ports.records import ProfileWrite, Unit
from engine.ports.resolve import Unknown, somebody_at
from engine.ports.store import Clock, Conflict, Moving, Store
from engine.profile.document import Profile, Step
from engine.profile.fold import fold
from engine.profile.merge import still_joined, tombstone, unmerge
from engine.profile.profile_view import shown
from engine.project.project import Project
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.unit.cache import KnownProfile
from engine.tracking.unit.triggers import Triggers

MOST_RUNS = 12  # when the documents keep moving
SHORTEST = 6  # characters by which a step may be named


class Unmerged(Struct, frozen=True):
    """What there is now: the profiles, the step that is undone, and the steps that join its ids all the same."""

    profiles: tuple[KnownProfile, ...]
    step: Step
    still: tuple[Step, ...] = ()


async def unmerge_stored(store: Store, project: Project, clock: Clock, id: str, step: str) -> Unmerged:
    """Undo a step of the profile that `id` leads to; `step` may be the beginning of its id.

    Raises `Unknown` and `Unavailable`.
    """
    for run in range(MOST_RUNS):
        try:
            return await _once(store, project, clock.now(), await somebody_at(store, id), step)
        except Conflict:
            await asyncio.sleep(0.005 * run)
    raise _moving(id)


async def unmerge_served(tracker: Tracker, id: str, step: str) -> Unmerged:
    """The same beside the units of a server: in turn with those of the profile, which are held up that long."""
    store, lines = tracker.store, tracker.lines
    for run in range(MOST_RUNS):
        person = await somebody_at(store, id)
        line, _ = await lines.take(person.id)
        try:
            await lines.settled(line)
            person = await somebody_at(store, id)
            return await _once(store, tracker.project, tracker.clock.now(), person, step)
        except Conflict:
            pass
        finally:
            tracker.known.forget(None, {id, *person.ids})
            lines.give(line)
        await asyncio.sleep(0.005 * run)
    raise _moving(id)


async def _once(store: Store, project: Project, now: int, person: Profile, named: str) -> Unmerged:
    step = step_of(person, named)
    if step.undone:
        return Unmerged((_known(person, project, now),), step, still_joined(person, step.id))
    still = still_joined(person, step.id)
    shares = unmerge(person, step.id, now)
    stored = await store.as_stored(tuple(person.parts))
    versions = {id: each.version for id, each in stored.items()} | {person.id: person.version}
    known = tuple([_known(_next(share, versions), project, now) for share in shares])
    writes = [ProfileWrite(each.person, versions.get(each.person.id, 0), each.shown) for each in known]
    await store.commit(Unit(profiles=(*writes, *_pointed([each.person for each in known], stored))))
    return Unmerged(known, known[0].person.steps.get(step.id, step), still)


def step_of(person: Profile, named: str) -> Step:
    """The step whose id is, or begins with, `named`. Raises `Unknown`."""
    if named in person.steps:
        return person.steps[named]
    found = [step for id, step in person.steps.items() if len(named) >= SHORTEST and id.startswith(named)]
    if len(found) == 1:
        return found[0]
    several = "several steps that begin with" if found else "no step"
    short = f" (a step is named by {SHORTEST} characters of its id at least)" if len(named) < SHORTEST else ""
    raise Unknown(f"the profile {person.id} has {several} {named}{short}")


def _next(share: Profile, versions: dict[str, int]) -> Profile:
    return structs.replace(share, version=versions.get(share.id, 0) + 1)


def _pointed(people: Sequence[Profile], stored: dict[str, Profile]) -> list[ProfileWrite]:
    """The tombstones that do not lead where their id belongs now."""
    found = []
    for person in people:
        for id in person.ids[1:]:
            stone = stored.get(id) or Profile(id=id, created=person.parts[id].created)
            if stone.merged_into != person.id:
                found.append(ProfileWrite(tombstone(stone, person.id), stone.version))
    return found


def _known(person: Profile, project: Project, now: int) -> KnownProfile:
    """A profile as it is stored, and what it shows with the segments that its own parts make.

    Where flows hear of segments that are left, it is stored with those it had, and due: they hear of it when a server
    looks at it.
    """
    tree = fold(person, project.settings.fields)
    settled = project.conditional.settled(person, shown(person, tree), max(now, person.judged))
    stored = person if Triggers(project).crossings else settled
    return KnownProfile(stored, shown(settled, tree))


def _moving(id: str) -> Moving:
    return Moving(f"the profile {id} moved {MOST_RUNS} times while it was split")
