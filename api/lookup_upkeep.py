"""The answers of targets that this process keeps: old ones go, and all go when any process forgets a profile."""

from contextlib import AbstractAsyncContextManager

from api.metrics.worked import worked
from effects.recurring_work import RecurringWork
from effects.shared_lookups import SharedLookups
from engine.ports.store import Store
from engine.tracking.operations.forgetting import ERASURE
from engine.tracking.pipeline.pipeline import Pipeline

SECONDS = 5  # less than a forgetting goes on searching


class LookupUpkeep:
    """The work itself."""

    def __init__(self, lookups: SharedLookups, store: Store) -> None:
        self._lookups = lookups
        self._store = store
        self._seen: bytes | None = None  # the last erasure

    async def tend(self) -> None:
        """Drop answers that are too old; all of them if a profile was erased since the last time.

        Raises `Unavailable`.
        """
        self._lookups.drop_old()
        last = await self._store.note(ERASURE)
        if last != self._seen:
            self._seen = last
            self._lookups.clear()


def lookup_upkeep(lookups: SharedLookups, pipeline: Pipeline) -> AbstractAsyncContextManager[object]:
    """Tend the kept answers of this process as long as the context is open."""
    recurring = RecurringWork(pipeline.report, worked(pipeline))
    recurring.every("tending answers of look-ups", SECONDS, LookupUpkeep(lookups, pipeline.store).tend, first=SECONDS)
    return recurring
