"""Deliveries for tests."""

from typing import Any

from msgspec import structs

from engine.flow.message import HttpMessage
from engine.ports.outbox import StoredDelivery, queue_of

NOW = 1_700_000_000_000


def sample(id: str = "d1", **changes: Any) -> StoredDelivery:
    """A waiting delivery to the target `crm`, due at `NOW`; with `changes` of its fields."""
    delivery = StoredDelivery(
        id=id,
        target="crm",
        queue=queue_of("crm"),
        at=NOW,
        source="shop",
        event="e1",
        flow="tell",
        node="crm",
        message=HttpMessage(body={"id": id}),
        due=NOW,
    )
    return structs.replace(delivery, **changes)
