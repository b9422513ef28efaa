"""Intake of `/collect`: one event, whose properties are the body. A bad body rejects the event."""

from typing import Any

import msgspec
from msgspec import structs

from engine.tracking.intake.body import decoded
from engine.tracking.intake.consent import CONSENT_CHANGED, fault_of
from engine.tracking.intake.data_limits import first_fault, first_fault_in, has_fraction
from engine.tracking.intake.mending import MalformedEvent
from engine.tracking.intake.payload import (
    UNUSABLE,
    Incoming,
    Intake,
    Refusal,
    rejected_as_malformed,
    suspicious,
    usable,
)

_object = msgspec.json.Decoder(dict[str, Any] | None)


def read_properties(body: bytes) -> dict[str, Any] | MalformedEvent:
    """Decode a body of `/collect`: an object that becomes the event's properties; empty or null for none."""
    if not body.strip():
        return {}
    try:
        properties = decoded(_object, body) or {}
    except Refusal as refusal:
        return MalformedEvent(body, refusal.at, refusal.detail)
    if suspicious(body):
        fault = first_fault(properties, "") or (first_fault_in(body, "") if has_fraction(body) else None)
        if fault:
            return MalformedEvent(body, *fault)
    return properties


def collect_intake(type: str, source: str, session: str | None, properties: dict[str, Any] | MalformedEvent) -> Intake:
    """Return the intake of one event of `/collect`. Raises `Refusal` for an unusable type, source or session id."""
    for name, value in (("type", type), ("source", source), ("session", session)):
        if value is not None and not (0 < len(value) <= 200 and usable(value)):
            raise Refusal("malformed", f"the {name} in the path must have 1 to 200 characters; it {UNUSABLE}")
    if isinstance(properties, dict) and type == CONSENT_CHANGED and (fault := fault_of(properties)):
        properties = MalformedEvent(msgspec.json.encode(properties), *fault)
    bare = session is None
    intake = Intake(source=source, session=session, profile_less=bare, sessionless=bare)
    if isinstance(properties, dict):
        return structs.replace(intake, events=(Incoming(0, None, type, properties, {}),))
    return structs.replace(intake, rejected=(rejected_as_malformed(0, properties),))
