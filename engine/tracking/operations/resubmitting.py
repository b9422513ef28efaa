"""Resubmitting a rejected event: its mended text is sent again, as a payload of its source and its session."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from engine.language.written_time import written_time
from engine.ports.records import Rejected
from engine.project.source import Source
from engine.tracking.intake.payload import Intake, read_track
from engine.tracking.pipeline.tracker import PayloadTracker

MAX_TEXT: Final = 1_000_000  # characters of an event that is mended by hand

_members = msgspec.json.Decoder(dict[str, Raw])


class NotAccepted(Exception):
    """The mended event cannot be accepted either. The message says why and at which place."""


def event_id(rejected: Rejected, text: str) -> str:
    """Return the id under which the text of a rejected event is sent: its own, else that of its rejection."""
    try:
        own = msgspec.json.decode(_members.decode(text).get("id", Raw(b"null")))
    except (msgspec.DecodeError, RecursionError):
        own = None
    return own if isinstance(own, str) and own else rejected.id


async def resubmit(tracker: PayloadTracker, source: Source, rejected: Rejected, text: str) -> str:
    """Send an event again, with `text` as its JSON, and return its id. The same id takes effect once.

    An event without an id or a time gets those of its rejection. What cannot be accepted is not rejected a second
    time: raises `NotAccepted`. Raises `Refusal` and `Unavailable` as a payload does.
    """
    intake = _intake(rejected, text)
    if not intake.events:
        faults = [f"{one.at.removeprefix('/events/0') or 'the event'}: {one.reason}" for one in intake.rejected]
        raise NotAccepted("; ".join(faults))
    await tracker.track(intake, source)
    return event_id(rejected, text)


def _intake(rejected: Rejected, text: str) -> Intake:
    if len(text) > MAX_TEXT:
        raise NotAccepted(f"the event has more than {MAX_TEXT:,} characters")
    try:
        members = _members.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotAccepted(f"this is not a JSON object: {error}") from error
    given: dict[str, Any] = {"id": rejected.id, "time": written_time(rejected.at), **members}
    payload: dict[str, Any] = {"source": {"id": rejected.source}, "events": [given]}
    if rejected.session is not None:
        payload["session"] = {"id": rejected.session}
    if rejected.profile is not None:
        payload["profile"] = {"id": rejected.profile}
    return read_track(msgspec.json.encode(payload))
