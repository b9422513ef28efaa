"""Intake of `/collect`: events whose properties are the body, one or a list of them. A bad one is rejected."""

from collections.abc import Generator, Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, structs

from engine.tracking.intake.body import decoded
from engine.tracking.intake.consent import CONSENT_CHANGED, fault_of
from engine.tracking.intake.data_limits import first_fault, first_fault_in, has_fraction
from engine.tracking.intake.delivery_id import DeliveryIds, NoDeliveryId
from engine.tracking.intake.form import BadForm, form_fields, is_form
from engine.tracking.intake.mending import MalformedEvent, fault_of_json, mended
from engine.tracking.intake.payload import (
    MAX_EVENTS,
    UNUSABLE,
    Incoming,
    Intake,
    Refusal,
    RejectedEvent,
    rejected_as_malformed,
    suspicious,
    usable,
)

_object = msgspec.json.Decoder(dict[str, Any] | None)
_list = msgspec.json.Decoder(list[Raw])
_BEFORE: Final = b'{"events":'
NO_LIST: Final = "the list is no JSON"


class Body(Struct, frozen=True):
    """A body: the properties of its events, in their order; `listed` says that it is a list of events."""

    events: tuple[dict[str, Any] | MalformedEvent, ...]
    listed: bool = False


def body_steps(content_type: str, body: bytes) -> Generator[None, None, Body]:
    """Decode a body: a form, an object or a list of objects; empty or null is an event without properties.

    Yields between two events of a list. Raises `Refusal` for an empty list and for one of too many events.
    """
    if is_form(content_type, body):
        try:
            return Body((form_fields(content_type, body),))
        except BadForm as bad:
            return Body((MalformedEvent(body, "", bad.reason),))
    if not body.lstrip().startswith(b"["):
        return Body((_properties(body),))
    return (yield from _list_steps(body))


def _list_steps(body: bytes) -> Generator[None, None, Body]:
    malformed: dict[int, MalformedEvent] = {}
    try:
        body.decode()
        texts = _list.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = mended(b"%s%s}" % (_BEFORE, body), MAX_EVENTS)
        malformed = dict(found.malformed)
        try:
            texts = _list.decode(found.body[len(_BEFORE) : -1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Body((MalformedEvent(body, *(fault_of_json(body, "") or ("", NO_LIST))),))
    if not texts:
        raise Refusal("malformed", "the list is empty: send at least one event")
    if len(texts) > MAX_EVENTS:
        detail = f"a list has at most {MAX_EVENTS} events, this one has {len(texts)}: send fewer at once"
        raise Refusal("too-large", detail)
    events: list[dict[str, Any] | MalformedEvent] = []
    for index, text in enumerate(texts):
        if index:
            yield
        wrong = malformed.get(index)
        event = _properties(bytes(text)) if wrong is None else _in_list(wrong)
        events.append(event)
    return Body(tuple(events), listed=True)


def _in_list(event: MalformedEvent) -> MalformedEvent:
    """Return a malformed event with its place in the item, without that of the item."""
    return structs.replace(event, at="".join([f"/{step}" for step in event.at.split("/")[3:]]))


def _properties(text: bytes) -> dict[str, Any] | MalformedEvent:
    """Decode an object that becomes the properties of an event; empty or null for none."""
    if not text.strip():
        return {}
    try:
        properties = decoded(_object, text) or {}
    except Refusal as refusal:
        return MalformedEvent(text, refusal.at, refusal.detail)
    if suspicious(text):
        fault = first_fault(properties, "") or (first_fault_in(text, "") if has_fraction(text) else None)
        if fault:
            return MalformedEvent(text, *fault)
    return properties


def collect_intake(type: str, source: str, session: str | None, body: Body, ids: DeliveryIds | None = None) -> Intake:
    """Return the intake of the events of `/collect`; with `ids` each has one.

    Raises `Refusal` for an unusable type, source or session id.
    """
    for name, value in (("type", type), ("source", source), ("session", session)):
        if value is not None and not (0 < len(value) <= 200 and usable(value)):
            raise Refusal("malformed", f"the {name} in the path must have 1 to 200 characters; it {UNUSABLE}")
    bare = session is None
    found = list(_events(type, body, ids))
    return Intake(
        source=source,
        session=session,
        profile_less=bare,
        sessionless=bare,
        events=tuple([one for one in found if isinstance(one, Incoming)]),
        rejected=tuple([one for one in found if isinstance(one, RejectedEvent)]),
    )


def _events(type: str, body: Body, ids: DeliveryIds | None) -> Iterable[Incoming | RejectedEvent]:
    for index, given in enumerate(body.events):
        event = _event(index, type, given, ids, listed=body.listed)
        if isinstance(event, Incoming):
            yield event
        else:
            at = f"/{index}{event.at}" if body.listed else event.at
            yield rejected_as_malformed(index, structs.replace(event, at=at))


def _event(
    index: int, type: str, properties: dict[str, Any] | MalformedEvent, ids: DeliveryIds | None, *, listed: bool
) -> Incoming | MalformedEvent:
    if isinstance(properties, MalformedEvent):
        return properties
    if type == CONSENT_CHANGED and (fault := fault_of(properties)):
        return MalformedEvent(msgspec.json.encode(properties), *fault)
    try:
        id = None if ids is None else ids.of(properties, index if listed else None)
    except NoDeliveryId as missing:
        return MalformedEvent(msgspec.json.encode(properties), *missing.fault)
    return Incoming(index, id, type, properties, {})
