"""Segment's protocol, which RudderStack's clients speak as well.

A request has one event, whose kind the path names, or a batch of events, each with its kind as `type`. Browsers name a
kind by its first letter.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from engine.tracking.foreign.batch import (
    MAX_EVENTS,
    Id,
    RawEvent,
    clock_of,
    decoded_event,
    events_of,
    id_text,
    keys_in,
    one_event,
    rejected,
    text_of,
    without_nulls,
)
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Steps, Translation, whole
from engine.tracking.intake.body import decoded_list
from engine.tracking.intake.payload import RejectedEvent

Properties = dict[str, Any]


class Envelope(Struct, frozen=True, rename="camel"):
    """The body of a batch."""

    batch: list[Raw]
    sent_at: Any = None
    write_key: Any = None


class SegmentEvent(Struct, frozen=True, rename="camel"):
    """An event as a client sends it. RudderStack's pages send `originalTimestamp` in place of `timestamp`."""

    type: str | None = None
    event: str | None = None
    message_id: Id = None
    anonymous_id: Id = None
    user_id: Id = None
    previous_id: Id = None
    group_id: Any = None
    name: Any = None
    category: Any = None
    properties: Properties | None = None
    traits: Properties | None = None
    context: Properties | None = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    channel: Any = None
    integrations: Any = None
    write_key: Any = None


def translated(request: ForeignRequest) -> Translation:
    """Return the translation of a request to one of Segment's addresses. Raises `Refusal`."""
    return whole(translation_steps(request))


def translation_steps(request: ForeignRequest) -> Steps:
    """Do the same, and yield between two events."""
    name = request.path.rstrip("/").rpartition("/")[2]
    if name not in BATCHES:
        one, key = _one(one_event(request.body), SHORT.get(name, name), None)
        return Translation(events=(one,), keys=keys_in([key]))
    envelope, malformed = decoded_list(_envelope, request.body, "batch", MAX_EVENTS)
    events: list[ForeignEvent | RejectedEvent] = []
    keys, sent = [envelope.write_key], clock_of(envelope.sent_at)
    for raw in events_of(envelope.batch, "/batch", malformed):
        if events:
            yield
        event, key = _one(raw, None, sent) if isinstance(raw, RawEvent) else (raw, None)
        events.append(event)
        keys.append(key)
    return Translation(events=tuple(events), keys=keys_in(keys))


def _one(raw: RawEvent, kind: str | None, sent: Any) -> tuple[ForeignEvent | RejectedEvent, Any]:
    """Return an event, translated or rejected, and the key in it. Its `type` is its kind if `kind` is none."""
    event = decoded_event(_event, raw)
    if isinstance(event, RejectedEvent):
        return event, None
    kind = event.type if kind is None else kind
    if kind is None or kind not in PROPERTIES:
        return rejected(raw, ("/type", f"`type` is one of {', '.join(PROPERTIES)}")), event.write_key
    if kind == TRACK and not event.event:
        return rejected(raw, ("/event", "`event` is missing: it names what was done")), event.write_key
    return _translated(raw, event, kind, event.sent_at or sent), event.write_key


def _translated(raw: RawEvent, event: SegmentEvent, kind: str, sent: Any) -> ForeignEvent:
    context = event.context or {}
    alias = kind == ALIAS and event.previous_id != event.anonymous_id  # a device is no earlier user
    time = event.original_timestamp if event.timestamp is None else event.timestamp
    about = {"timestamp": time, "sentAt": sent, "channel": event.channel, "integrations": event.integrations}
    return ForeignEvent(
        at=raw.at,
        raw=raw.text,
        type=event.event or "" if kind == TRACK else kind,
        properties=PROPERTIES[kind](event),
        context={**context, "sent": without_nulls(about)},
        id=id_text(event.message_id),
        time=time,
        sent=sent,
        visitor=id_text(event.anonymous_id),
        user=id_text(event.user_id),
        previous=id_text(event.previous_id) if alias else None,
        session=text_of(context.get("sessionId")),
    )


def _properties(event: SegmentEvent) -> Properties:
    return event.properties or {}


def _shown(event: SegmentEvent) -> Properties:
    """Return the properties of a page or a screen, with its name and category."""
    return {**_properties(event), **without_nulls({"name": event.name, "category": event.category})}


def _traits(event: SegmentEvent) -> Properties:
    """Return the traits of a user: RudderStack's clients send them in the context."""
    inner = (event.context or {}).get("traits")
    return {**(inner if isinstance(inner, dict) else {}), **(event.traits or {})}


def _group(event: SegmentEvent) -> Properties:
    return {**(event.traits or {}), **without_nulls({"groupId": event.group_id})}


def _alias(event: SegmentEvent) -> Properties:
    return without_nulls({"previousId": event.previous_id, "userId": event.user_id})


TRACK: Final = "track"
ALIAS: Final = "alias"
BATCHES: Final = frozenset({"batch", "b", "import"})
SHORT: Final = {"t": TRACK, "i": "identify", "p": "page", "s": "screen", "g": "group", "a": ALIAS}
PROPERTIES: Final[Mapping[str, Callable[[SegmentEvent], Properties]]] = {  # by kind
    TRACK: _properties,
    "identify": _traits,
    "page": _shown,
    "screen": _shown,
    "group": _group,
    ALIAS: _alias,
}

_envelope = msgspec.json.Decoder(Envelope)
_event = msgspec.json.Decoder(SegmentEvent)
