"""The contract with what sends deliveries to other systems: one attempt at one delivery, and its result."""

from typing import Literal, Protocol

from msgspec import Struct

from engine.ports.outbox import StoredDelivery

Verdict = Literal["sent", "again", "dead", "dropped"]
TargetHealth = Literal["works", "fails", "refuses", "unknown"]


class DeliveryResult(Struct, frozen=True):
    """The result of one attempt.

    `verdict` says whether the delivery has arrived, is sent again later, would be refused each time (dead), or has
    nowhere to go (dropped). `health` is what the attempt says of the target: it works (it may have refused this message
    all the same), it fails, it refuses all messages (such as for wrong credentials), or nothing. `reason` is for people
    and contains no secrets.
    """

    verdict: Verdict
    status: int | None = None  # of HTTP or SMTP
    reason: str = ""
    retry_after_ms: int = 0  # the shortest pause that the target asks for
    took_ms: int = 0
    health: TargetHealth = "works"


class Courier(Protocol):
    """Sends deliveries. An attempt that fails raises nothing: its result says so."""

    async def send(self, delivery: StoredDelivery) -> DeliveryResult:
        """Make one attempt, within the timeout of the target, under the delivery's id as its key.

        It writes nothing to a store. When it is cancelled, the message may have arrived all the same.
        """
