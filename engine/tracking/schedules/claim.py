"""A claim on a task: the right to fire it, held by compare-and-set on the task's document.

The claim is no lock: what the firing does is committed together with the task's document at the version of the claim.
A process that was paused and whose claim was taken over meanwhile fails there, and nothing of its firing is written.

An operator may pause a task while it is claimed. Then the version has moved although the claim stands: `adopt` takes
the newer document over. A process that starts may write another schedule into it: that ends the claim, for this firing
would compute the next due time by the schedule of before.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from engine.ports.kinds import TASKS
from engine.ports.records import RecordWrite, Unit
from engine.ports.store import Conflict, Store, Unavailable
from engine.ports.task import Task
from engine.tracking.schedules.task_changes import at_place, claimed, left, renewed

RENEW_SECONDS: Final = 5.0
TAKEOVER_SECONDS: Final = 15.0

Change = Callable[[Task], Task]


class TakenOver(Exception):
    """Another process fires the task, so nothing of this firing may be written."""


class Claim:
    """A claim that is held; `task` is the document as it was written or read last."""

    def __init__(self, store: Store, task: Task) -> None:
        assert task.firing is not None  # noqa: S101  # it was claimed
        self._store = store
        self.task = task
        self.by, self.due = task.firing.by, task.firing.due
        self._lock = asyncio.Lock()  # held while the document is written

    @classmethod
    async def take(cls, store: Store, task: Task, by: str, due: int) -> "Claim | None":
        """Claim a task as it was read. Returns None if it has changed since. Raises `Unavailable`."""
        found = claimed(task, by, due)
        try:
            await write_task(store, found, task.version)
        except Conflict:
            return None
        return cls(store, found)

    async def renew_for_ever(self) -> None:
        """Renew the claim every `RENEW_SECONDS`, until it is cancelled or taken over."""
        with suppress(TakenOver):
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                with suppress(Unavailable):  # the next one may succeed, or the commit fails
                    async with self._lock:
                        await self._write_own(renewed)

    async def keep_place(self, place: str) -> None:
        """Store how far the firing has come. Raises `TakenOver` and `Unavailable`."""
        async with self._lock:
            await self._write_own(lambda task: at_place(task, place))

    async def leave(self) -> None:
        """Let any process go on with the firing. Raises `TakenOver` and `Unavailable`."""
        async with self._lock:
            await self._write_own(left)

    async def end(self, change: Change) -> None:
        """Write the end of the firing. Raises `TakenOver` and `Unavailable`."""
        async with self._lock:
            await self._write_own(change)

    async def adopt(self) -> None:
        """Take over the document as it is stored. Raises `TakenOver` if the claim is lost, and `Unavailable`."""
        stored = await self._store.record(TASKS, self.task.id)
        firing = stored.firing if stored is not None else None
        if stored is None or firing is None or (firing.by, firing.due) != (self.by, self.due):
            raise TakenOver
        if stored.spec != self.task.spec:
            raise TakenOver
        self.task = stored

    async def _write_own(self, change: Change) -> None:
        while True:
            changed = change(self.task)
            try:
                await write_task(self._store, changed, self.task.version)
            except Conflict:
                await self.adopt()
            else:
                self.task = changed
                return


async def write_task(store: Store, task: Task, expected: int) -> None:
    """Write a task over the version `expected`. Raises `Conflict` and `Unavailable`."""
    await store.commit(Unit(changes=(RecordWrite(TASKS, task, expected),)))
