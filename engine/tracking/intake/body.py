"""The bodies of `/collect` and `/consent`, which hold one event: a body is decoded or refused as a whole."""

from typing import TypeVar

import msgspec

from engine.language.surrogates import without_lone_surrogates
from engine.tracking.intake.mending import fault_of_json
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
