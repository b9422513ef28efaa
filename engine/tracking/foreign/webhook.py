"""Webhooks: a request of another system to events, as the file of the webhook says.

The sender cannot be asked to send anything else, and it sends again whatever is refused. So a request that cannot be
read, or of which the mappings cannot make an event, is rejected and recorded with its body and the reason, and is
answered with success.

Each event has an id that is the same in each delivery of the request, so that it takes effect once: that of its
mapping, or one made of the sender's id of the delivery and the event's number in it, or one made of the content if the
source says so.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.language.absent import Unfit, Unusable
from engine.language.hidden import HASH_KEYS
from engine.language.path import Scope
from engine.language.zone import TIMEZONE
from engine.ports.ids import short_hash
from engine.project.mapping import EventMapping, MappedEvent
from engine.project.project import Settings
from engine.project.webhook import EventForEach, ListedEvents, Webhook, WholeRequest
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Steps, Translation
from engine.tracking.foreign.webhook_body import UnreadableBody, read_body
from engine.tracking.intake.mending import kept_body
from engine.tracking.intake.payload import RejectedEvent

MAX_EVENTS: Final = 500  # of a delivery

# Headers with credentials of this server, or of the systems before it. No expression reads them, no event has them.
CREDENTIALS: Final = frozenset(
    {b"authorization", b"proxy-authorization", b"cookie", b"write_key", b"master_key", b"api_key"}
)
KEY_PARAMETERS: Final = frozenset({"write_key", "master_key", "api_key"})

_object = msgspec.json.Decoder(dict[str, Any])


class Delivery(Struct, frozen=True, kw_only=True):
    """A request to a webhook. Its signature has been verified if there is one.

    `id` is the sender's id of the delivery, the same when it is sent again. Without `named_by_events` it alone names
    the events, whatever ids the body has. `content_ids` says that events without an id get one from the content.
    """

    webhook: Webhook
    request: ForeignRequest
    now: int  # ms
    settings: Settings
    id: str | None = None
    named_by_events: bool = True
    content_ids: bool = False


def translation_steps(delivery: Delivery) -> Steps:
    """Return the events of a delivery, or the one rejection of all of it; yield between two events."""
    try:
        scope = scope_of(delivery)
        if is_unwanted(delivery, scope):
            return Translation(events=())
        events: list[ForeignEvent | RejectedEvent] = []
        for number, made in _made(delivery, scope):
            if number:
                yield
            if isinstance(made, MappedEvent):
                events.append(_foreign(delivery, number, made, events))
            elif made is not None:
                events.append(msgspec.structs.replace(made, index=len(events)))
        return Translation(events=tuple(events))
    except UnreadableBody as unreadable:
        return Translation(events=(rejected(delivery, unreadable.reason, unreadable.at),))
    except Unusable as unusable:
        return Translation(events=(rejected(delivery, unusable.reason),))


def unread(delivery: Delivery) -> Translation | None:
    """Return the translation of a delivery that its script need not read, by the webhook's condition; None otherwise.

    A body that the condition cannot read is rejected.
    """
    if delivery.webhook.when is None:
        return None
    try:
        return Translation(events=()) if is_unwanted(delivery, scope_of(delivery)) else None
    except UnreadableBody as unreadable:
        return Translation(events=(rejected(delivery, unreadable.reason, unreadable.at),))


def scope_of(delivery: Delivery) -> dict[str, Any]:
    """Return what the expressions of a webhook read. Raises `UnreadableBody`."""
    request = delivery.request
    body = read_body(request.headers.get(b"content-type", b"").decode("latin-1"), request.body)
    content = {"body": body.value, "text": body.text}
    return {
        **{root: value for root, value in content.items() if value is not None},
        "query": shown_query(request),
        "headers": shown_headers(request),
        "params": delivery.webhook.params,
        "now": delivery.now,
        TIMEZONE: delivery.settings.timezone,
        HASH_KEYS: delivery.settings.hash_keys,
    }


def is_unwanted(delivery: Delivery, scope: Scope) -> bool:
    """Return whether the webhook's own condition does not hold, so that the request is to make no events."""
    when = delivery.webhook.when
    return when is not None and not when.test(scope)


def shown_headers(request: ForeignRequest) -> dict[str, str]:
    """Return the headers of a request by their lower-case names, without those that hold credentials."""
    shown = {name: value for name, value in request.headers.items() if name not in CREDENTIALS}
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in shown.items()}


def shown_query(request: ForeignRequest) -> dict[str, Any]:
    """Return the fields of the query, without keys of sources: text, or a list for a name that stands several times."""
    shown = {name: values for name, values in request.query.items() if name not in KEY_PARAMETERS}
    return {name: values[0] if len(values) == 1 else values for name, values in shown.items()}


def rejected(delivery: Delivery, reason: str, at: str = "", index: int = 0) -> RejectedEvent:
    """Return the rejection of a whole delivery, with its body."""
    return RejectedEvent(index, f"webhook `{delivery.webhook.name}`: {reason}", at, kept_body(_raw(delivery)))


def _raw(delivery: Delivery) -> bytes:
    """Return the text of a delivery: its body, or its query where it has none."""
    request = delivery.request
    return request.body or msgspec.json.encode(shown_query(request))


def _made(delivery: Delivery, scope: Scope) -> Iterator[tuple[int, MappedEvent | RejectedEvent | None]]:
    """Yield the event of each mapping or item by its number: None where it makes none. Raises `Unusable`."""
    match delivery.webhook.reading:
        case ListedEvents(mappings=mappings):
            for number, mapping in enumerate(mappings):
                place = f"events[{number}]" if len(mappings) > 1 else "the event"
                yield number, _mapped(delivery, mapping, scope, place, _raw(delivery))
        case EventForEach(items=items, mapping=mapping):
            for number, item in enumerate(_items(items.evaluate(scope))):
                inner = {**scope, "item": item, "index": number}
                yield number, _mapped(delivery, mapping, inner, f"the event of item {number}", item)
        case WholeRequest():
            yield 0, MappedEvent(type=delivery.webhook.event_type, properties=_whole(delivery, scope))


def _mapped(
    delivery: Delivery, mapping: EventMapping, scope: Scope, place: str, item: Any
) -> MappedEvent | RejectedEvent | None:
    """Return the event of a mapping, or its rejection with the bytes or the plain data of which it was to be made."""
    try:
        return mapping.event(scope)
    except Unusable as unusable:
        raw = item if isinstance(item, bytes) else msgspec.json.encode(item)
        return RejectedEvent(0, f"webhook `{delivery.webhook.name}`, {place}: {unusable.reason}", "", kept_body(raw))


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Unfit("`each` is no list")
    if len(value) > MAX_EVENTS:
        raise Unfit(f"`each` has {len(value):,} items, and a delivery makes at most {MAX_EVENTS} events")
    return list(value)


def _whole(delivery: Delivery, scope: Scope) -> dict[str, Any]:
    """Return the properties of an event that is the whole request."""
    name = "body" if "body" in scope else "text"
    return {
        "method": delivery.request.method,
        **({name: scope[name]} if scope.get(name) else {}),
        "query": scope["query"],
        "headers": scope["headers"],
        **({"params": dict(scope["params"])} if scope["params"] else {}),
    }


def _foreign(
    delivery: Delivery, number: int, made: MappedEvent, earlier: Sequence[ForeignEvent | RejectedEvent]
) -> ForeignEvent:
    """Return a made event as one of a foreign request, with data of its own, which shares nothing with the scope."""
    members = {name: value for name, value in msgspec.structs.asdict(made).items() if value not in (None, {})}
    raw = msgspec.json.encode(members)
    data = _object.decode(raw)
    return ForeignEvent(
        at="",
        raw=raw,
        type=made.type,
        properties=data.get("properties", {}),
        context=data.get("context", {}),
        id=id_of(delivery, number, made.id, earlier),
        time=data.get("time"),
        visitor=made.visitor,
        user=made.user,
        previous=made.previous,
        session=made.session,
    )


def id_of(
    delivery: Delivery, number: int, given: str | None, earlier: Sequence[ForeignEvent | RejectedEvent] = ()
) -> str | None:
    """Return the id of an event that is the same whenever the request is delivered; None if nothing says one.

    Two mappings may use one id of the request, so the second event has its number behind it. Two items of one list with
    the same id are one event that stands there twice.
    """
    if given is not None and delivery.named_by_events:
        if not isinstance(delivery.webhook.reading, ListedEvents):
            return given
        repeated = any(isinstance(event, ForeignEvent) and event.id == given for event in earlier)
        return f"{given}:{number}" if repeated else given
    if delivery.id is not None:
        return f"{delivery.webhook.name}:{delivery.id}:{number}"
    if delivery.content_ids:
        text = _raw(delivery).decode(errors="backslashreplace")
        return short_hash("webhook", delivery.webhook.name, text, str(number))
    return None
