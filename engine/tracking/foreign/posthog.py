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
from msgspec import Struct, field

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
from engine.tracking.foreign.posthog_person import ALIASES, NO_PERSON, person_of
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Steps, Translation
from engine.tracking.intake.body import decoded
from engine.tracking.intake.payload import Refusal, RejectedEvent, whole

Properties = dict[str, Any]


class Question(Struct, frozen=True):
    """The body of a question for feature flags, as far as it is read."""

    api_key: Any = None
    token: Any = None


class PostHogEvent(Struct, frozen=True):
    """An event as a client sends it, without its ids. What a server sets of a person stands beside the properties."""

    event: str | None = None
    timestamp: Any = None
    properties: Properties | None = None
    set: Properties | None = field(name="$set", default=None)
    set_once: Properties | None = field(name="$set_once", default=None)


def translated(request: ForeignRequest) -> Translation:
    """Return the translation of a request to one of PostHog's addresses that take events. Raises `Refusal`."""
    return whole(translation_steps(request))


def translation_steps(request: ForeignRequest) -> Steps:
    """Do the same, and yield between two events."""
    body = _json_of(request.body)
    is_list = body.lstrip()[:1] == b"["
    members = {} if is_list else members_of(body)
    sent = clock_in(members, "sent_at")
    keys = [value_in(members, name) for name in KEYS]
    last: list[Any] = []  # members of properties: they may mean something else, so they only count if nothing else does

    def make(item: Item) -> ForeignEvent:
        keys.extend(map(item.members.get, KEYS))
        event = converted(item, PostHogEvent)
        last.append((event.properties or {}).get("token"))
        return _translated(item, event, sent)

    events: tuple[ForeignEvent | RejectedEvent, ...]
    if is_list:
        events = yield from item_steps(body, MAX_EVENTS, "", make)
    elif "batch" in members:
        events = yield from item_steps(members["batch"], MAX_EVENTS, "/batch", make)
    else:
        events = (made_of_body(body, make),)
    return Translation(events=events, keys=keys_in(keys) or keys_in(last))


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


def _translated(item: Item, event: PostHogEvent, sent: Any) -> ForeignEvent:
    """Return the event of an item. Raises `UnusableMember`."""
    if not event.event:
        raise UnusableMember("/event", "`event` is missing: it names what was done")
    said = {**(event.properties or {}), **without_nulls({"$set": event.set, "$set_once": event.set_once})}
    type, properties, context = _data(event.event, said)
    person = person_of(event.event, item.members, said)
    return ForeignEvent(
        at=item.at,
        raw=item.raw,
        type=type,
        properties=properties,
        context={**context, "sent": without_nulls({"timestamp": event.timestamp, "sentAt": sent})},
        id=id_in(item.members, "uuid", "") or id_in(said, "$insert_id", "/properties", reason=None),
        time=event.timestamp,
        sent=sent,
        visitor=person.visitor,
        user=person.user,
        previous=person.previous,
        session=None if person == NO_PERSON else id_in(said, "$session_id", "/properties", reason=None),
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
KEYS: Final = ("api_key", "token")
OBJECTS: Final = frozenset({"$set", "$group_set"})
TYPES: Final = {"$pageview": "page"}
KINDS: Final[Mapping[str, tuple[str, Callable[[Properties], Properties]]]] = {  # by name: the type and the properties
    "$identify": ("identify", _traits),
    "$set": ("identify", _traits),  # `identify` for a person who is identified already; servers' only form
    "$groupidentify": ("group", _group),
    **dict.fromkeys(ALIASES, ("alias", _alias)),
}

_question = msgspec.json.Decoder(Question)
