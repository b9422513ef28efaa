"""A delivery as a flow test sees it: the parts of its message beside those of the delivery."""

from typing import Any

from msgspec import structs

from engine.language.duration import show_duration
from engine.ports.outbox import StoredDelivery


def delivery_view(delivery: StoredDelivery) -> dict[str, Any]:
    """Return the parts of a delivery that a case may expect, with the keys that the test file has for them."""
    message = structs.asdict(delivery.message)
    message.pop("at", None)  # the time of the case's clock
    return {
        **message,
        "target": delivery.target,
        "flow": delivery.flow,
        "node": delivery.node,
        "mode": delivery.mode,
        "order": "profile" if delivery.ordered else "none",
        "after": shown_delay(delivery.due - delivery.at),
    }


def shown_delay(ms: int) -> str:
    """Return a delay as a text, in one form however an author wrote it."""
    return show_duration(ms) if ms else "0s"
