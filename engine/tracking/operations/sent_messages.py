"""Messages that have left the store: deliveries that a target has, which forgetting a profile cannot take back."""

from collections import Counter

from engine.ports.erasure import DataSubject
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery
from engine.ports.store import Searches
from engine.tracking.operations.export import found_by, queries_of


async def sent_messages(store: Searches, subject: DataSubject) -> Counter[str]:
    """Return how many stored deliveries of a data subject each target has received. Raises `Unavailable`.

    One that is not marked as sent counts too if an attempt was made: it may have arrived.
    """
    found: Counter[str] = Counter()
    assert DELIVERIES.searchable is not None  # noqa: S101
    for node in queries_of(DELIVERIES, subject):
        async for delivery in found_by(store, DELIVERIES.searchable, node):
            if _may_have_arrived(delivery):
                found[delivery.target] += 1
    return found


def _may_have_arrived(delivery: StoredDelivery) -> bool:
    return delivery.state == "sent" or delivery.attempts > 0
