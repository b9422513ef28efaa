"""Settling: a stored document whose parts are no longer one group is replaced by a profile for each of its groups.

Such a document is left by an upgrade, or on a store without transactions by a merge that was begun and not committed.
It is settled by a commit of its own, before anything runs on it.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from engine.ports.backoff import BackoffFormula
from engine.ports.resolve import stored_profile
from engine.ports.store import Conflict, Contention, Store
from engine.profile.document import Profile
from engine.profile.grouping import Regrouped, regroup
from engine.profile.linking import Pool, is_one_group, settled
from engine.project.project import Project
from engine.tracking.unit.set_apart import rewritten

MAX_ATTEMPTS = 12  # when the documents keep moving
BACKOFF: Final = BackoffFormula(first=0.005, longest=0.06)


ReportApart = Callable[[Regrouped], None]


def report_nothing(apart: Regrouped) -> None:
    """Do nothing: for callers that need no report."""


async def settled_profile(
    store: Store, project: Project, id: str, now: int, report: ReportApart = report_nothing
) -> Profile | None:
    """Return the profile that `id` leads to and is part of, once it is settled; None if no profile has that id.

    `now` is in ms. `report` is called with profiles that were set apart. Raises `Unavailable`, also as `Contention`.
    """
    for failures in range(1, MAX_ATTEMPTS + 1):
        profile = await stored_profile(store, id)
        if profile is None or is_settled(profile):
            return profile
        try:
            regrouped = await settle(store, project, profile, now)
            if regrouped.sets_apart:
                report(regrouped)
        except Conflict:
            await asyncio.sleep(BACKOFF.pause(failures, random.random()))  # noqa: S311 - only spreads them
    raise Contention(f"the profile {id} moved {MAX_ATTEMPTS} times while it was settled")


def is_settled(profile: Profile) -> bool:
    """Return whether a document is one group, and no claim of a proven id holds."""
    if not profile.links:
        return len(profile.parts) < 2
    pool = Pool(profile.parts, profile.links)
    return settled(pool, 1) is pool and is_one_group(profile)


async def settle(store: Store, project: Project, profile: Profile, now: int) -> Regrouped:
    """Replace a document by its groups, and return these. Raises `Conflict` and `Unavailable`."""
    before = Pool(profile.parts, profile.links)
    regrouped = regroup(settled(before, now), (profile,), profile.id)
    stored = await store.as_stored(regrouped.ids)
    unit, _ = rewritten(regrouped, stored, project, before, now)
    await store.commit(unit)
    return regrouped
