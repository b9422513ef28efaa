"""PostHog's protocol: a request has a batch of events, a list of them, or one event.

A page that is being left may send the JSON as base64 in a form. Events whose names begin with `$` are PostHog's own.
Those that identify a person get the types of Segment's protocol, so that flows need not know which client sent them.
"""

from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from engine.language.surrogates import without_lone_surrogates
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
from engine.tracking.foreign.items import texts_of
from engine.tracking.foreign.posthog_person import ALIASES, NO_PERSON, person_of
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Steps, Translation, whole
from engine.tracking.intake.body import decoded, decoded_list
from engine.tracking.intake.payload import Refusal, RejectedEvent

Properties = dict[str, Any]


class Envelope(Struct, frozen=True):
    """The body of a batch. A body without `batch` is one event."""

    batch: list[Raw] | UnsetType = UNSET
    sent_at: Any = None
    api_key: Any = None
    token: Any = None


class Question(Struct, frozen=True):
    """The body of a question for feature flags, as far as it is read."""

    api_key: Any = None
    token: Any = None


class PostHogEvent(Struct, frozen=True):
    """An event as a client sends it. Servers name `distinct_id` here, pages in the properties."""

    event: str | None = None
    uuid: Id = None
    distinct_id: Id = None
    timestamp: Any = None
    properties: Properties | None = None
    set: Properties | None = field(name="$set", default=None)
    set_once: Properties | None = field(name="$set_once", default=None)
    api_key: Any = None
    token: Any = None


def translated(request: ForeignRequest) -> Translation:
    """Return the translation of a request to one of PostHog's addresses that take events. Raises `Refusal`."""
    return whole(translation_steps(request))


def translation_steps(request: ForeignRequest) -> Steps:
    """Do the same, and yield between two events."""
    body = _json_of(request.body)
    if body.lstrip()[:1] == b"[":
        texts = texts_of(without_lone_surrogates(body), MAX_EVENTS, "")
        return (yield from _events(events_of([Raw(text) for text in texts], "", {}), None, []))
    envelope, malformed = decoded_list(_envelope, body, "batch", MAX_EVENTS)
    keys, sent = [envelope.api_key, envelope.token], clock_of(envelope.sent_at)
    if isinstance(envelope.batch, UnsetType):
        return (yield from _events([one_event(body)], sent, keys))
    return (yield from _events(events_of(envelope.batch, "/batch", malformed), sent, keys))


def key_of_question(request: ForeignRequest) -> str:
    """Return the key in a question for feature flags; empty without one. Raises `Refusal`."""
    found = decoded(_question, _json_of(request.body))
    return next(iter(keys_in((found.api_key, found.token))), "")


def _json_of(body: bytes) -> bytes:
    """Return the JSON of a body, which may be in a form, as it is or as base64. Raises `Refusal`."""
    if not body.startswith(FORM):
        return body
    data = unquote_to_bytes(body.removeprefix(FORM).partition(b"&")[0].replace(b"+", b" "))
    if data[:1] in (b"{", b"["):
        return data
    try:
        return b64decode(data.replace(b" ", b"+"), validate=True)  # a `+` that was not escaped
    except Error as error:
        raise Refusal("malformed", f"`data` of the form is neither JSON nor base64: {error}") from None


def _events(raws: list[RawEvent | RejectedEvent], sent: Any, keys: list[Any]) -> Steps:
    events: list[ForeignEvent | RejectedEvent] = []
    last: list[Any] = []  # members of properties: they may mean something else, so they only count if nothing else does
    for raw in raws:
        if events:
            yield
        if isinstance(raw, RejectedEvent):
            events.append(raw)
            continue
        event = decoded_event(_event, raw)
        if isinstance(event, RejectedEvent):
            events.append(event)
            continue
        keys += (event.api_key, event.token)
        last.append((event.properties or {}).get("token"))
        events.append(_translated(raw, event, sent))
    return Translation(events=tuple(events), keys=keys_in(keys) or keys_in(last))


def _translated(raw: RawEvent, event: PostHogEvent, sent: Any) -> ForeignEvent | RejectedEvent:
    if not event.event:
        return rejected(raw, ("/event", "`event` is missing: it names what was done"))
    said = {**(event.properties or {}), **without_nulls({"$set": event.set, "$set_once": event.set_once})}
    type, properties, context = _data(event.event, said)
    person = person_of(event.event, id_text(event.distinct_id) or text_of(said.get("distinct_id")), said)
    return ForeignEvent(
        at=raw.at,
        raw=raw.text,
        type=type,
        properties=properties,
        context={**context, "sent": without_nulls({"timestamp": event.timestamp, "sentAt": sent})},
        id=id_text(event.uuid) or text_of(said.get("$insert_id")),
        time=event.timestamp,
        sent=sent,
        visitor=person.visitor,
        user=person.user,
        previous=person.previous,
        session=None if person == NO_PERSON else text_of(said.get("$session_id")),
    )


def _data(name: str, said: Properties) -> tuple[str, Properties, Properties]:
    """Return the type, properties and context of an event, of its name and all its properties.

    What an event says about a person or a group are its properties; everything else is in the context then.
    """
    if name not in KINDS:
        return TYPES.get(name, name), said, {}
    type, properties = KINDS[name]
    return type, properties(said), {name: value for name, value in said.items() if name not in OBJECTS}


def _traits(said: Properties) -> Properties:
    return _object(said, "$set")


def _group(said: Properties) -> Properties:
    named = {"groupId": said.get("$group_key"), "groupType": said.get("$group_type")}
    return {**_object(said, "$group_set"), **without_nulls(named)}


def _alias(said: Properties) -> Properties:
    return without_nulls({"previousId": said.get("distinct_id"), "userId": said.get("alias")})


def _object(said: Properties, name: str) -> Properties:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


FORM: Final = b"data="
OBJECTS: Final = frozenset({"$set", "$group_set"})
TYPES: Final = {"$pageview": "page"}
KINDS: Final[Mapping[str, tuple[str, Callable[[Properties], Properties]]]] = {  # by name: the type and the properties
    "$identify": ("identify", _traits),
    "$set": ("identify", _traits),  # `identify` for a person who is identified already; servers' only form
    "$groupidentify": ("group", _group),
    **dict.fromkeys(ALIASES, ("alias", _alias)),
}

_envelope = msgspec.json.Decoder(Envelope)
_question = msgspec.json.Decoder(Question)
_event = msgspec.json.Decoder(PostHogEvent)
