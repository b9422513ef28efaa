"""A courier that answers from a script instead of the network: for tests and demonstrations."""

import asyncio
from collections import defaultdict, deque
from typing import Final

from engine.ports.courier import DeliveryResult
from engine.ports.outbox import StoredDelivery

SENT: Final = DeliveryResult("sent", status=200)


class ScriptedCourier:
    """A `Courier` that returns scripted results, in turn; those of a delivery before those of its target; then `SENT`.

    `attempts` holds every delivery that was sent, in the order of the attempts. Each result waits for the event `gate`.
    """

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.attempts: list[StoredDelivery] = []
        self._gate = gate
        self._results: defaultdict[str, deque[DeliveryResult]] = defaultdict(deque)
        self._always: dict[str, DeliveryResult] = {}

    def on(self, name: str, *results: DeliveryResult, always: DeliveryResult | None = None) -> "ScriptedCourier":
        """Script the results of the next attempts at a delivery or at deliveries to a target; `always` for the rest."""
        self._results[name].extend(results)
        if always is not None:
            self._always[name] = always
        return self

    def works_again(self, name: str) -> None:
        """Let the deliveries of a target, or one delivery, arrive from now on."""
        self._results[name].clear()
        self._always.pop(name, None)

    @property
    def ids(self) -> list[str]:
        """The ids of the deliveries that were sent, in the order of the attempts."""
        return [delivery.id for delivery in self.attempts]

    async def send(self, delivery: StoredDelivery) -> DeliveryResult:
        """Return the scripted result."""
        self.attempts.append(delivery)
        if self._gate is not None:
            await self._gate.wait()
        for name in (delivery.id, delivery.target):
            if self._results[name]:
                return self._results[name].popleft()
            if name in self._always:
                return self._always[name]
        return SENT
