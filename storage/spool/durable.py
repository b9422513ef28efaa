"""The durable spool: a file, and one thread that does whatever has been ordered meanwhile in one transaction."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from engine.ports.settle import settle
from engine.ports.spool import SpoolEntry
from engine.ports.store import Unavailable
from storage.spool.bounds import USUAL, Bounds, SpoolLoad, spool_load
from storage.spool.file import KEEP, KEPT, PROBE, Job, SpoolFile, after, drop, held, put

Order = tuple[Job, "asyncio.Future[Any]"]


class DurableSpool:
    """Implements `engine.ports.spool.Spool`. For one event loop."""

    def __init__(self, file: SpoolFile, bounds: Bounds = USUAL) -> None:
        """Take over an open file. Raises `Unavailable`."""
        self._file = file
        self._bounds = bounds
        self._held: SpoolLoad = file.one(held)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"spool {file.path.name}")
        self._orders: list[Order] = []
        self._flight: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def entries(self) -> int:
        """How many parcels it holds, with those that are just being put in."""
        return self._held.entries

    @property
    def events(self) -> int:
        """How many received events are in them."""
        return self._held.events

    async def put(self, entries: Sequence[SpoolEntry]) -> None:
        """Keep parcels at its end."""
        load = spool_load(entries)
        self._bounds.check(self._held, load)
        order = self._order(put(entries))
        self._held.add(load)

        def take_back(done: "asyncio.Future[Any]") -> None:
            if done.exception() is not None:
                self._held.take(load)

        order.add_done_callback(take_back)
        await asyncio.shield(order)

    async def after(self, place: int, limit: int) -> list[SpoolEntry]:
        """The first parcels beyond a place."""
        found: list[SpoolEntry] = await self._order(after(place, limit))
        return found

    async def drop(self, places: Sequence[int]) -> None:
        """Let go of parcels."""
        if places:
            order = self._order(drop(places))
            order.add_done_callback(self._dropped)
            await asyncio.shield(order)

    async def secret(self) -> bytes | None:
        """The store's secret, as it was kept last."""
        found = await self._order(lambda connection: connection.execute(KEPT).fetchone())
        return None if found is None else bytes(found[0])

    async def keep_secret(self, secret: bytes) -> None:
        """Keep the store's secret."""
        await self._order(lambda connection: connection.execute(KEEP, (secret,)))

    async def ready(self) -> str | None:
        """Why nothing more can be put in. After a failure that is tried: nobody may send anything before."""
        if self._file.trouble is not None:
            with suppress(Unavailable):
                await self._order(lambda connection: connection.execute(PROBE))
        return self._file.trouble or self._bounds.full(self._held)

    async def close(self) -> None:
        """Do what is ordered and let go of the file."""
        self._closed = True
        if self._flight is not None:
            await asyncio.wait([self._flight])
        self._thread.shutdown()
        self._file.close()

    def _order(self, job: Job) -> "asyncio.Future[Any]":
        """Have the thread do something, in the order of these calls."""
        if self._closed:
            raise Unavailable(f"the spool {self._file.path} is closed")
        order: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._orders.append((job, order))
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
        return order

    async def _fly(self) -> None:
        """Let the thread do what is ordered, until nothing more is."""
        loop, orders = asyncio.get_running_loop(), list[Order]()
        try:
            while self._orders:
                orders, self._orders = self._orders, []
                outcomes = await loop.run_in_executor(self._thread, self._file.do, [job for job, _ in orders])
                for (_, order), outcome in zip(orders, outcomes, strict=True):
                    settle(order, *outcome)
        finally:
            self._flight = None
            for _, order in [*orders, *self._orders]:  # all are settled but after a bug: nobody may wait for ever
                settle(order, None, Unavailable(f"the spool {self._file.path} has failed"))
            self._orders = []

    def _dropped(self, done: "asyncio.Future[Any]") -> None:
        if done.exception() is None:
            self._held.take(done.result())
            if not self._held.entries and not self._closed:
                self._thread.submit(self._file.shrink)
