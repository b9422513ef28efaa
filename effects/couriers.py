"""The courier of a server: sends each delivery by the protocol of its target."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from effects.http_courier import HttpCourier
from effects.smtp_courier import SmtpCourier
from engine.flow.message import EventMessage, MailMessage
from engine.ports.courier import DeliveryResult
from engine.ports.outbox import StoredDelivery
from engine.ports.world import Clock
from engine.project.source import Target, is_mail, target_in
from engine.sending.answers import impossible, no_answer

Track = Callable[[StoredDelivery], Awaitable[DeliveryResult]]

NO_TEST_PART: Final = "no test part: the event came from a source in `mode: test`, and the target has no `test:`"


class Couriers:
    """A `Courier` for the targets of a project. `track` takes the events that flows emit to Headrace itself."""

    def __init__(self, targets: Mapping[str, Target], track: Track, clock: Clock | None = None) -> None:
        self._targets = targets
        self._track = track
        self._http = HttpCourier(clock)
        self._smtp = SmtpCourier(clock)

    async def close(self) -> None:
        """Close all connections. May be called twice."""
        await self._http.close()

    async def send(self, delivery: StoredDelivery) -> DeliveryResult:
        """Make one attempt. See `Courier`."""
        if isinstance(delivery.message, EventMessage):
            return await self._track(delivery)
        configured = self._targets.get(delivery.target)
        if configured is None:
            return no_answer(f"the project has no target {delivery.target}", health="unknown")
        target = target_in(configured, delivery.mode)
        if target is None:
            return DeliveryResult("dropped", reason=NO_TEST_PART, health="unknown")
        if is_mail(target) != isinstance(delivery.message, MailMessage):
            kind = "a mail server" if is_mail(target) else "no mail server"
            return impossible(f"the target {delivery.target} is {kind}: this message cannot be sent to it")
        courier = self._smtp if is_mail(target) else self._http
        return await courier.send(delivery, target)
