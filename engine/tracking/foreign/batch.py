"""A body of Segment's or PostHog's clients, cut into the texts of its events: a batch, or one event alone."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from engine.tracking.intake.body import decoded
from engine.tracking.intake.decode_error import fault_of_error
from engine.tracking.intake.event_time import read_event_time
from engine.tracking.intake.mending import Fault, MalformedEvent, fault_of_json, kept_body
from engine.tracking.intake.payload import EventOptions, Refusal, RejectedEvent, rejected_as_malformed

MAX_EVENTS: Final = 2_500  # of a request

Id = str | int | None  # as clients send it

T = TypeVar("T")

_raw = msgspec.json.Decoder(Raw)


class RawEvent(Struct, frozen=True):
    """An event as JSON text. `at` is its place in the body, a JSON pointer."""

    index: int
    at: str
    text: bytes


def one_event(body: bytes) -> RawEvent:
    """Return the event that a whole body is. Raises `Refusal` for a body that is no JSON object."""
    text = bytes(decoded(_raw, body)).strip()
    if not text.startswith(b"{"):
        raise Refusal("malformed", "the body is no event: send a JSON object")
    return RawEvent(0, "", text)


def events_of(batch: list[Raw], at: str, malformed: Mapping[int, MalformedEvent]) -> list[RawEvent | RejectedEvent]:
    """Return the events of a list, whose place is `at`; those that are malformed are rejected.

    Raises `Refusal` for more than `MAX_EVENTS`.
    """
    if len(batch) > MAX_EVENTS:
        detail = f"a request carries at most {MAX_EVENTS:,} events, this one has {len(batch):,}: send fewer at once"
        raise Refusal("too-large", detail, at)
    return [
        rejected_as_malformed(index, malformed[index])
        if index in malformed
        else RawEvent(index, f"{at}/{index}", bytes(raw))
        for index, raw in enumerate(batch)
    ]


def decoded_event(decoder: msgspec.json.Decoder[T], raw: RawEvent) -> T | RejectedEvent:
    """Return a decoded event, or its rejection for a member of a wrong type, or as no JSON."""
    try:
        return decoder.decode(raw.text)
    except msgspec.ValidationError as error:
        return rejected(raw, fault_of_error(error, raw.text, EventOptions))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fault = fault_of_json(raw.text, "") or fault_of_error(error, raw.text, EventOptions)
        return rejected(raw, fault)


def rejected(raw: RawEvent, fault: Fault) -> RejectedEvent:
    """Return the rejection of an event for a fault, whose place is one in the event."""
    at, reason = fault
    return RejectedEvent(raw.index, reason, raw.at + at, kept_body(raw.text))


def id_text(id: Id) -> str | None:
    """Return an id as text: a number as its digits."""
    return str(id) if isinstance(id, int) else id


def text_of(id: Any) -> str | None:
    """Return an id that is in plain data as text; None if it can be none."""
    return id_text(id) if isinstance(id, str | int) and not isinstance(id, bool) else None


def clock_of(sent: Any) -> Any:
    """Return what a request says of its client's clock, which is kept with each of its events; None if it is no time.

    A long text or a nested value would be kept as often as there are events, and is in none of the events' own texts.
    """
    return sent if read_event_time(sent) is not None else None


def keys_in(given: Iterable[Any]) -> tuple[str, ...]:
    """Return the keys among the values of members that may have one, each once."""
    return tuple(dict.fromkeys(key for key in given if isinstance(key, str) and key))


def without_nulls(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are not null."""
    return {name: value for name, value in members.items() if value is not None}
