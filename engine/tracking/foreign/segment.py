"""Segment's protocol, which RudderStack's clients speak as well.

A request has one event, whose kind the path names, or a batch of events, each with its kind as `type`. Browsers name a
kind by its first letter.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from engine.tracking.foreign.items import (
    MAX_EVENTS,
    Item,
    UnusableMember,
    clock_in,
    converted,
    id_in,
    item_steps,
    keys_in,
    made_of_body,
    members_of,
    value_in,
    without_nulls,
)
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Steps, Translation
from engine.tracking.intake.payload import Refusal, whole

Properties = dict[str, Any]


class SegmentEvent(Struct, frozen=True, rename="camel"):
    """An event as a client sends it. RudderStack's pages send `originalTimestamp` in place of `timestamp`."""

    type: str | None = None
    event: str | None = None
    user_id: Any = None
    previous_id: Any = None
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


def translated(request: ForeignRequest) -> Translation:
    """Return the translation of a request to one of Segment's addresses. Raises `Refusal`."""
    return whole(translation_steps(request))


def translation_steps(request: ForeignRequest) -> Steps:
    """Do the same, and yield between two events."""
    name = request.path.rstrip("/").rpartition("/")[2]
    kind = None if name in BATCHES else SHORT.get(name, name)
    members = members_of(request.body) if kind is None else {}
    keys, sent = [value_in(members, "writeKey")], clock_in(members, "sentAt")

    def make(item: Item) -> ForeignEvent:
        keys.append(item.members.get("writeKey"))
        return _event(item, kind, sent)

    if kind is not None:
        return Translation(events=(made_of_body(request.body, make),), keys=keys_in(keys))
    if "batch" not in members:
        raise Refusal("malformed", "`batch` is missing: it is the list of events", "/batch")
    events = yield from item_steps(members["batch"], MAX_EVENTS, "/batch", make)
    return Translation(events=events, keys=keys_in(keys))


def _event(item: Item, kind: str | None, sent: Any) -> ForeignEvent:
    """Return the event of an item. Its `type` is its kind if `kind` is none. Raises `UnusableMember`."""
    event = converted(item, SegmentEvent)
    kind = event.type if kind is None else kind
    if kind is None or kind not in PROPERTIES:
        raise UnusableMember("/type", f"`type` is one of {', '.join(PROPERTIES)}")
    if kind == TRACK and not event.event:
        raise UnusableMember("/event", "`event` is missing: it names what was done")
    members, context = item.members, event.context or {}
    visitor, previous = [id_in(members, name, "") for name in ("anonymousId", "previousId")]
    alias = kind == ALIAS and previous != visitor  # a device is no earlier user
    time = event.original_timestamp if event.timestamp is None else event.timestamp
    sent = event.sent_at or sent
    about = {"timestamp": time, "sentAt": sent, "channel": event.channel, "integrations": event.integrations}
    return ForeignEvent(
        at=item.at,
        raw=item.raw,
        type=event.event or "" if kind == TRACK else kind,
        properties=PROPERTIES[kind](event),
        context={**context, "sent": without_nulls(about)},
        id=id_in(members, "messageId", ""),
        time=time,
        sent=sent,
        visitor=visitor,
        user=id_in(members, "userId", ""),
        previous=previous if alias else None,
        session=id_in(context, "sessionId", "/context", reason=None),
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
