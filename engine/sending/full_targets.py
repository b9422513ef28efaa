"""The targets for which so many deliveries wait that no more are written: counted from time to time, so about.

Counted is what is due soon, so neither ended ones, which are due when they are deleted, days later, nor those that an
author delays by `after` for longer. So a count is one look at an index.
"""

from collections.abc import Mapping
from typing import Final

from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import queue_of
from engine.ports.store import Due
from engine.project.source import Target
from engine.sending.backoff import LONGEST_MS

COUNT_SECONDS: Final = 30.0
AHEAD_MS: Final = 2 * LONGEST_MS  # those that failed wait for their next attempt until then at most


async def full_targets(store: Due, targets: Mapping[str, Target], most_open: int, now: int) -> frozenset[str]:
    """Return the targets for which at least `most_open` deliveries wait at `now` (ms). Raises `Unavailable`."""
    full = []
    for name, target in targets.items():
        waiting = 0
        for shard in range(target.shards):
            waiting += await store.count_due(DELIVERIES, now + AHEAD_MS, queue_of(name, shard))
        if waiting >= most_open:
            full.append(name)
    return frozenset(full)
