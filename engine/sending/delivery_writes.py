"""Writing the changes of deliveries: those of one moment share a commit, each by compare-and-set."""

import asyncio
from collections.abc import Callable
from typing import Final

from engine.ports.backoff import BackoffFormula
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery
from engine.ports.records import Changes, RecordDelete, RecordWrite, Unit
from engine.ports.store import Commits, Conflict, TooLarge, Unavailable

TOGETHER: Final = 50  # changes in one commit
BACKOFF: Final = BackoffFormula(first=0.5, longest=10.0, certain=1.0)

_Waiting = tuple[RecordWrite | RecordDelete, "asyncio.Future[bool]"]


class DeliveryWrites:
    """The changes of deliveries that one process has to write.

    While the store is away, changes wait and are tried again: that one was sent is written as soon as possible, so
    that it is not sent again. `report` gets each failure of the store.
    """

    def __init__(self, store: Commits, report: Callable[[Unavailable], None]) -> None:
        self._store = store
        self._report = report
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, delivery: StoredDelivery) -> bool:
        """Write a delivery over the version before its own. Returns False if another change came first."""
        return await self._change(RecordWrite(DELIVERIES, delivery, delivery.version - 1))

    async def delete(self, delivery: StoredDelivery) -> bool:
        """Delete a delivery at its version. Returns False if another change came first."""
        return await self._change(RecordDelete(DELIVERIES, delivery.id, delivery.version))

    async def close(self) -> None:
        """Write nothing more."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        for _, done in self._waiting:
            done.cancel()

    async def _change(self, change: RecordWrite | RecordDelete) -> bool:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await done

    async def _write_all(self) -> None:
        while self._waiting:
            together = self._waiting[:TOGETHER]
            if not await self._commit(together):
                for each in together:
                    await self._commit([each])
            del self._waiting[: len(together)]

    async def _commit(self, together: list[_Waiting]) -> bool:
        """Commit changes as one unit. Returns False if they have to be tried one by one."""
        changes: Changes = tuple([change for change, _ in together])
        failures = 0
        while True:
            try:
                await self._store.commit(Unit(changes=changes))
            except (Conflict, TooLarge) as refused:
                if len(together) > 1:
                    return False
                if isinstance(refused, TooLarge):
                    self._report(refused)
                return _settle(together, False)
            except Unavailable as unavailable:
                failures += 1
                self._report(unavailable)
                await asyncio.sleep(BACKOFF.pause(failures, 0))
            else:
                return _settle(together, True)


def _settle(together: list[_Waiting], written: bool) -> bool:
    for _, done in together:
        if not done.done():
            done.set_result(written)
    return True
