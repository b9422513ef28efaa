"""Mending a body that is no JSON: each malformed event is taken out of it, so that it is rejected and no other.

Lone surrogates become U+FFFD. What is malformed outside of events still makes the body malformed, and is named.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from engine.language.json_spans import CutObject, NotCut, Span, cut_object
from engine.language.json_text import nests_deeper
from engine.language.surrogates import without_lone_surrogates
from engine.tracking.intake.data_limits import TOO_DEEP, first_fault_in

Fault = tuple[str, str]  # JSON pointer, reason

DEEPEST_KEPT = 64  # levels of a rejected event that is stored as JSON: every reader can decode it

LONGEST_SEARCHED = 1_048_576  # bytes of a text in which the place of a fault is looked for, which takes 0.2 s a MiB

_raw = msgspec.json.Decoder(Raw)


class MalformedEvent(Struct, frozen=True):
    """An event that is no JSON: its text, and the place (JSON pointer in the payload) and reason of the fault."""

    text: bytes
    at: str
    reason: str


class MendedBody(Struct, frozen=True):
    """A body in which the number 0 stands for each malformed event, and U+FFFD for each lone surrogate.

    `replaced` says that there were any of the latter. `fault` is the first one outside of events.
    """

    body: bytes
    malformed: Mapping[int, MalformedEvent] = {}
    replaced: bool = False
    fault: Fault | None = None


def mended(body: bytes, most_events: int) -> MendedBody:
    """Return a body of `/track` that the decoder refused, mended as far as it can be."""
    text = without_lone_surrogates(body)
    replaced = text != body
    try:
        cut = cut_object(text, "events", most_events)
    except NotCut:
        return MendedBody(text, replaced=replaced)
    malformed: dict[int, MalformedEvent] = {}
    pieces: list[bytes] = []
    at = 0
    for index, (start, end) in enumerate(cut.items):
        if fault := fault_of_json(text[start:end], f"/events/{index}"):
            malformed[index] = MalformedEvent(text[start:end], *fault)
            pieces += (text[at:start], b"0".ljust(end - start))
            at = end
    return MendedBody(b"".join((*pieces, text[at:])), malformed, replaced, _fault_of_envelope(text, cut))


def fault_of_json(raw: bytes, at: str) -> Fault | None:
    """Return the place and reason for which a text is no JSON in UTF-8, or nests too deep; None if it is."""
    if not raw:
        return at, "nothing stands here"
    try:
        raw.decode()
        _raw.decode(raw)
    except RecursionError:
        return at, TOO_DEEP
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        found = first_fault_in(raw, at) if len(raw) <= LONGEST_SEARCHED else None
        return found or (at, f"{error}, counted from its beginning")
    return None


def kept_body(raw: bytes) -> Raw:
    """Return a rejected event as it is stored: its JSON, or if it is none or nests very deep, all of it as one text."""
    try:
        if not nests_deeper(msgspec.json.decode(raw), DEEPEST_KEPT):
            return Raw(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return text_body(raw)


def text_body(raw: bytes) -> Raw:
    """Return a rejected event as one text, whatever it is."""
    return Raw(msgspec.json.encode(raw.decode(errors="backslashreplace")))


def _fault_of_envelope(text: bytes, cut: CutObject) -> Fault | None:
    members: dict[str, Span] = {name: span for name, span in cut.members.items() if name != "events"}
    found = (fault_of_json(text[start:end].strip(), f"/{name}") for name, (start, end) in members.items())
    return next((fault for fault in found if fault), None)
