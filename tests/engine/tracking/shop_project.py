"""A shop with a spool: its flows, and how to look at what became of its events."""

from typing import Any

from engine.project.source import Source
from tests.engine.tracking.unavailable_store import Shop
from tests.projects import project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  up: {profile.increment: {traits.count: 1}}
"""
LIST = """
flow: list
trigger: {event: seen}
nodes:
  note: {profile.append: {traits.seen: "{{ event.properties.n }}"}}
"""
GREET = """
flow: greet
trigger: {event: counted}
nodes:
  say: {respond: {banner: hello}}
"""
JOIN = """
flow: join
trigger: {event: joined}
nodes:
  join: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
SHOPPING = project(COUNT, LIST, JOIN)
LINKED = Source(source="shop", debugger=True)


def ledger(shop: Shop) -> dict[str, int]:
    """The counters of the ledger that are not 0; checks that the ledger adds up."""
    counters = shop.pipeline.ledger.totals()
    assert (
        counters.received
        == counters.stored + counters.processed + counters.rejected + counters.duplicate + counters.queued
    )
    names = ("stored", "processed", "rejected", "duplicate", "queued")
    return {name: count for name in names if (count := getattr(counters, name))}


async def traits(shop: Shop, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await shop.profile(id))["traits"]
    return found
