"""The entries that a committing document carries, and the work of this process after a commit."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from engine.ports.records import SessionWrite
from engine.ports.store import TooLarge, Unavailable
from storage.elasticsearch.backoff import pause
from storage.elasticsearch.commit_plan import CommitPlan
from storage.elasticsearch.document_id import IndexedId
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.pending_writes import PendingWrites
from storage.elasticsearch.reader import Reader

MAX_TRIES = 20  # of one unit whose document moves without its version
MAX_BACKOFF = 3  # tries that make the pause before the next one longer
MAX_PENDING = 8  # entries that a document carries
MAX_PENDING_BYTES = 4 * 1024 * 1024
MAX_BYTES = 32 * 1024 * 1024  # of what one unit leaves pending


class CommitCarrier:
    """Shared by all commits, whichever document commits."""

    def __init__(self, reader: Reader, loader: Loader, finisher: Finisher) -> None:
        self._reader = reader
        self._loader = loader
        self._finisher = finisher

    async def room(self, pending: Sequence[PendingWrites], entry: PendingWrites | None) -> list[PendingWrites]:
        """The entries that a document is to carry: those not known to be finished, and the unit's own.

        Raises `TooLarge`, and `Unavailable` if earlier entries cannot be finished to make room.
        """
        if entry is not None and len(entry.text) > MAX_BYTES:
            raise TooLarge(f"a unit of {len(entry.text)} characters is too large to be committed")
        left = [each for each in pending if not each.finished]
        size = sum([len(each.text) for each in left])
        if len(left) >= MAX_PENDING or size > MAX_PENDING_BYTES:
            await self._finisher.done(left)
            left = []
        return [*left, entry] if entry is not None else left

    async def done(self, entries: Sequence[PendingWrites]) -> None:
        """Wait until entries are finished. Raises `Unavailable` when that takes too long."""
        await self._finisher.done(entries)

    async def pause(self, plan: CommitPlan, tries: int) -> None:
        """Wait before another try, if units may be taking claims of records from one another: not all at once."""
        if tries and plan.moves_records:
            await asyncio.sleep(pause(min(tries, MAX_BACKOFF)))

    async def left(self, plan: CommitPlan, entry: PendingWrites | None) -> bool:
        """Whether there are documents that only this unit can leave: then it was committed, and others finished it."""
        return entry is not None and plan.first is not None and await self._reader.get(*plan.first) is not None

    @asynccontextmanager
    async def forgetting(self, id: str) -> AsyncIterator[None]:
        """While a profile's document is written: if the outcome is unknown, the document is no longer cached."""
        try:
            yield
        except (Unavailable, asyncio.CancelledError):
            self._loader.memory.drop(id)
            raise

    async def committed(
        self, plan: CommitPlan, sessions: Sequence[SessionWrite], entry: PendingWrites | None, on: IndexedId
    ) -> None:
        """After the commit: cache the versions that it wrote, and finish what `on` carries of it in the background.

        What leaves the profile is waited for, as others do not look for it there: but the unit is committed, so it is
        no error if that takes too long.
        """
        memory = self._loader.memory
        tick = memory.tick()
        for write in sessions:
            memory.write(write.session, tick)
        for _, mark in plan.marks:
            memory.mark((mark.source, mark.event))
        if entry is not None:
            entry.is_carried_by(on)
            self._finisher.begin(entry)
            if entry.record.left_keys or entry.record.apart:
                with suppress(Unavailable):
                    await self._finisher.done([entry])


def texts(entries: Sequence[PendingWrites]) -> list[str]:
    """Entries as a document carries them."""
    return [entry.text for entry in entries]


def since(entries: Sequence[PendingWrites]) -> int | None:
    """The time (µs) since which a document has something to be finished; None without any."""
    return min([entry.record.stamp for entry in entries], default=None)
