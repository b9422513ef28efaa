"""History: the events and sessions of a profile, under any of its ids."""

import asyncio
from collections.abc import Iterable
from heapq import merge
from itertools import islice

from engine.ports.records import Session, StoredEvent
from engine.ports.store import Reads
from engine.profile.document import Profile


async def events_of(store: Reads, profile: Profile, limit: int) -> list[StoredEvent]:
    """The newest events of a profile, newest first."""
    found = await asyncio.gather(*[store.events_of(id, limit) for id in profile.ids])
    return list(islice(merge(*found, key=lambda event: -event.received), limit))


async def sessions_of(store: Reads, events: Iterable[StoredEvent]) -> list[Session]:
    """The sessions of events, in the order of the events, each once."""
    names = dict.fromkeys((event.source, event.session) for event in events if event.session is not None)
    found = await asyncio.gather(*[store.session(source, id) for source, id in names])
    return [session for session in found if session is not None]
