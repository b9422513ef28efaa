"""Events that flows emit to Headrace itself, through the outbox: each is tracked as a unit of its own.

Its id is that of its delivery, so a repeated attempt finds that it has taken effect, and it does so once.
"""

from typing import Final

from msgspec import structs

from engine.flow.message import EventMessage
from engine.ports.courier import DeliveryResult
from engine.ports.outbox import StoredDelivery
from engine.ports.store import Unavailable
from engine.project.source import SYSTEM_SOURCE
from engine.sending.answers import impossible, no_answer
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.request import UnitRequest

# No sender brought these keys: the author's own flow made them of what the author's own targets have answered.
OWN_SOURCE: Final = structs.replace(SYSTEM_SOURCE, identify="trust")


async def track_own(pipeline: Pipeline, delivery: StoredDelivery) -> DeliveryResult:
    """Track the event of a delivery to `self`, durably, and return the result of the attempt."""
    message = delivery.message
    if not isinstance(message, EventMessage):
        return impossible("this message is no event: Headrace cannot send it to itself")
    clock = pipeline.clock
    event = UnitEvent(
        key=delivery.id,
        id=delivery.id,
        index=None,
        type=message.type,
        properties=message.properties,
        context={},
        origin="flow",
        parent=delivery.event,
        depth=message.depth,
        marked=True,
    )
    source = pipeline.project.sources.get(delivery.source, OWN_SOURCE)
    request = UnitRequest(
        source=source,
        intake=Intake(source=source.source, profile_less=True, sessionless=True),
        events=(event,),
        now=clock.now(),
        seed=pipeline.new_id(),
        deadline=float("inf"),  # no sender waits for its answer
        replies={},
        again=delivery.attempts > 0,
    )
    started = clock.ticks()
    try:
        await pipeline.process(request)
    except Refusal as refused:
        return impossible(refused.detail)
    except Unavailable as unavailable:
        return no_answer(unavailable.reason)
    return DeliveryResult("sent", took_ms=round((clock.ticks() - started) * 1000))
