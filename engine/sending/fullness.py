"""The outboxes that are full: targets for which so many deliveries wait that no more are written."""

from typing import Final

from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import queue_of
from engine.ports.store import Due
from engine.project.project import Project
from engine.sending.backoff import LONGEST_MS

AHEAD_MS: Final = 2 * LONGEST_MS  # those that failed wait for their next attempt until then at most


async def full_targets(store: Due, project: Project, now: int) -> frozenset[str]:
    """Return the targets for which as many deliveries wait as may wait, about. Raises `Unavailable`.

    Counted is what is due soon, so neither what an author delays by `after` for longer, nor ended ones, which are due
    when they are deleted, days later.
    """
    full = []
    for name, target in project.targets.items():
        waiting = 0
        for shard in range(target.shards):
            waiting += await store.count_due(DELIVERIES, now + AHEAD_MS, queue_of(name, shard))
        if waiting >= project.settings.most_open:
            full.append(name)
    return frozenset(full)
