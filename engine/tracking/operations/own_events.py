"""Events that flows emit to Headrace itself, through the outbox: each is tracked as a unit of its own.

Its id is that of its delivery, so a repeated attempt finds that it has taken effect, and it does so once. An event that
has happened elsewhere may have an id of its own, by which it takes effect once however often its flow finds it; and it
may name its person.
"""

from typing import Final

from msgspec import structs

from engine.flow.message import Elsewhere, EventMessage
from engine.ports.courier import DeliveryResult
from engine.ports.outbox import StoredDelivery
from engine.ports.store import Unavailable
from engine.profile.placeholder import placeholder_reason
from engine.project.source import SYSTEM_SOURCE, Source
from engine.sending.answers import impossible, no_answer
from engine.tracking.intake.event_time import TIME_REMEDY, read_event_time
from engine.tracking.intake.payload import Incoming, Intake, Refusal
from engine.tracking.intake.usable_id import usable_id
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.request import UnitRequest, with_session, with_time

# No sender brought these keys: the author's own flow made them of what the author's own targets have answered.
OWN_SOURCE: Final = structs.replace(SYSTEM_SOURCE, identify="trust")

_NOWHERE: Final = Elsewhere()


async def track_own(pipeline: Pipeline, delivery: StoredDelivery) -> DeliveryResult:
    """Track the event of a delivery to `self`, durably, and return the result of the attempt."""
    message = delivery.message
    if not isinstance(message, EventMessage):
        return impossible("this message is no event: Headrace cannot send it to itself")
    clock = pipeline.clock
    started = clock.ticks()
    try:
        await pipeline.process(_request(pipeline, delivery, message))
    except Refusal as refused:
        return impossible(refused.detail)
    except Unavailable as unavailable:
        return no_answer(unavailable.reason)
    return DeliveryResult("sent", took_ms=round((clock.ticks() - started) * 1000))


def _request(pipeline: Pipeline, delivery: StoredDelivery, message: EventMessage) -> UnitRequest:
    """Return the unit of an event. Raises `Refusal` for an id or a time that cannot be used, and `Unavailable`."""
    elsewhere, settings, now = message.elsewhere or _NOWHERE, pipeline.project.settings, pipeline.clock.now()
    source = pipeline.project.sources.get(delivery.source, OWN_SOURCE)
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
    if elsewhere.id is not None:
        event = structs.replace(event, id=_own_id(delivery.flow, elsewhere.id, settings.keys.never))
    if elsewhere.time is not None:
        if read_event_time(elsewhere.time) is None:
            raise Refusal("malformed", TIME_REMEDY)
        sent = Incoming(0, None, message.type, {}, {}, elsewhere.time)
        event = with_time(event, sent, source, now, settings)
    return UnitRequest(
        source=source,
        intake=_intake(pipeline, source, elsewhere),
        events=(event,),
        now=now,
        seed=pipeline.new_id(),
        deadline=float("inf"),  # no sender waits for its answer
        replies={},
        again=delivery.attempts > 0,
    )


def _intake(pipeline: Pipeline, source: Source, elsewhere: Elsewhere) -> Intake:
    """Return the intake of an event: of the person that it names, or of none. Raises `Refusal` and `Unavailable`."""
    if elsewhere.user is None and elsewhere.visitor is None:
        return Intake(source=source.source, profile_less=True, sessionless=True)
    intake = Intake(source=source.source, user=elsewhere.user, visitor=elsewhere.visitor)
    return with_session(intake, source, pipeline.project.settings.keys, pipeline.loading.secret, pipeline.new_id)


def _own_id(flow: str, id: str, never: frozenset[str]) -> str:
    """Return the id of an event that has happened elsewhere: flows that give the same id mean different events.

    Raises `Refusal` for a placeholder: events without an id would all be one.
    """
    if reason := placeholder_reason(id, never):
        raise Refusal("malformed", f"the id `{id[:100]}` {reason}: leave `id` out of `event.store`", "/id")
    return usable_id(f"{flow}:{id}", never) or ""
