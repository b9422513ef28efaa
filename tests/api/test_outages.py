"""Outages in the log: the first failure, then now and then a count, and the recovery; not a line for each request."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.outages import Outages
from effects.virtual_time_loop import VirtualTimeLoop
from engine.ports.spool import SpoolUnavailable
from engine.ports.store import Contention, Overloaded, TooLarge, Unavailable
from storage.memory import MemoryStore
from storage.spool.memory import MemorySpool


class FailingStore(MemoryStore):
    """A store that says why it is not ready."""

    reason: str | None = "the disk is full"

    async def ready(self) -> str | None:
        return self.reason


class FailingSpool(MemorySpool):
    """A spool that says why it is not ready."""

    reason: str | None = "no room"

    async def ready(self) -> str | None:
        return self.reason


async def failing(seconds: int, store: FailingStore, spool: FailingSpool) -> None:
    """Report a hundred failures a second for so long; then the store and the spool work again."""
    reported = Outages(store, spool)
    for _ in range(seconds):
        for _ in range(100):
            reported.report(Unavailable("the disk is full", place="/data/store.db"))
        reported.report(SpoolUnavailable("no room"))
        await asyncio.sleep(1)
    store.reason = spool.reason = None
    await asyncio.sleep(3)
    await reported.close()


@pytest.fixture
def loop() -> Any:
    """A loop on which waiting takes no time."""
    loop = VirtualTimeLoop()
    yield loop
    loop.close()


def test_an_outage_is_logged_at_its_start_every_minute_and_at_its_end(loop: VirtualTimeLoop) -> None:
    with capture_logs() as logs:
        loop.run_until_complete(failing(150, FailingStore(), FailingSpool()))
    store = [entry for entry in logs if "store" in entry["event"]]
    assert [entry["event"] for entry in store] == [
        "the store fails", "the store still fails", "the store still fails", "the store works again",
    ]  # fmt: skip
    assert [entry["log_level"] for entry in store] == ["error", "error", "error", "info"]
    assert store[0]["reason"] == "/data/store.db: the disk is full"
    assert [entry.get("failures") for entry in store] == [None, 6100, 12100, 15000]
    assert [entry["event"] for entry in logs if "spool" in entry["event"]] == [
        "the spool fails", "the spool still fails", "the spool still fails", "the spool works again",
    ]  # fmt: skip


def test_an_outage_goes_on_while_failures_are_reported_though_the_store_says_that_it_is_ready(
    loop: VirtualTimeLoop,
) -> None:
    store = FailingStore()
    store.reason = None
    with capture_logs() as logs:
        loop.run_until_complete(failing(30, store, FailingSpool()))
    assert [entry["event"] for entry in logs if "store" in entry["event"]] == [
        "the store fails",
        "the store works again",
    ]


@pytest.mark.parametrize("failure", [Contention("it moved"), Overloaded("it waits"), TooLarge("it is large")])
async def test_a_refusal_by_a_store_that_works_is_no_outage(failure: Unavailable) -> None:
    reported = Outages(FailingStore(), None)
    with capture_logs() as logs:
        reported.report(failure)
    await reported.close()
    assert logs == []


async def test_closing_ends_the_watch() -> None:
    reported = Outages(FailingStore(), None)
    reported.report(Unavailable("the disk is full"))
    await reported.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
