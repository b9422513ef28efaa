"""Bodies of one event, as of `/collect` and `/consent`, and of foreign protocols.

A body of one event is decoded or refused as a whole. In a body with a list of events, a malformed event is taken out.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from engine.language.surrogates import without_lone_surrogates
from engine.tracking.intake.mending import MalformedEvent, fault_of_json, mended
from engine.tracking.intake.payload import malformed_body, malformed_payload

T = TypeVar("T")


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a body, with U+FFFD for lone surrogates. Raises `Refusal`, with the place of what is malformed."""
    try:
        body.decode()
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise malformed_payload(error, body) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = without_lone_surrogates(body)
    if fault := fault_of_json(text, ""):
        raise malformed_body(fault, body)
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise malformed_payload(error, text) from None


def decoded_list(
    decoder: msgspec.json.Decoder[T], body: bytes, name: str, most: int
) -> tuple[T, Mapping[int, MalformedEvent]]:
    """Decode an object whose member `name` has at most `most` events, as `Raw`.

    Returns what was decoded, with the number 0 in place of each malformed event, and these events by their index.
    Raises `Refusal`, with the place of what is malformed elsewhere.
    """
    try:
        if not body.isascii():
            body.decode()
        return decoder.decode(body), {}
    except msgspec.ValidationError as error:
        raise malformed_payload(error, body) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = mended(body, most, name)
    if found.fault:
        raise malformed_body(found.fault, body)
    try:
        found.body.decode()
        return decoder.decode(found.body), found.malformed
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_payload(error, found.body) from None
