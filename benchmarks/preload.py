"""Fills a store with events, through the store itself."""

import asyncio
from pathlib import Path

from rich.progress import Progress

from effects.ids import new_id
from engine.ports.records import StoredEvent, Unit
from storage import open_store

BATCH = 500  # events of one unit
PROFILES = 100_000
PROPERTIES = {
    "order": "A-1",
    "total": 49.5,
    "tier": "gold",
    "currency": "EUR",
    "items": [{"sku": "nike-42", "quantity": 1}],
}


def preload(database: Path, events: int) -> None:
    """Put `events` events of many profiles into the store at `database`."""
    asyncio.run(_preload(database, events))


async def _preload(database: Path, events: int) -> None:
    store = open_store(f"sqlite:{database}", Path())
    with Progress(transient=True) as progress:
        task = progress.add_task("filling the store", total=events)
        for begin in range(0, events, BATCH * 16):
            ends = range(begin, min(begin + BATCH * 16, events), BATCH)
            await asyncio.gather(*(store.commit(_unit(first, min(BATCH, events - first))) for first in ends))
            progress.update(task, completed=begin + BATCH * 16)
    await store.close()


def _unit(first: int, size: int) -> Unit:
    return Unit(events=tuple(_event(first + i) for i in range(size)))


def _event(number: int) -> StoredEvent:
    return StoredEvent(
        id=new_id(),
        type="order-completed",
        source="shop",
        received=1_700_000_000_000 + number,
        session=f"preloaded-{number % PROFILES}",
        profile=f"{number * 7919 % PROFILES:032x}",
        properties=PROPERTIES,
    )
