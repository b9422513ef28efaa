"""The text that a sender signs, as an author describes it: `v0:{{ timestamp }}:{{ body }}`."""

import re
from typing import Final, Literal

from msgspec import Struct

MAX_PARTS: Final = 32

_PLACE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_HEADER: Final = re.compile(r"""headers(?:\.([A-Za-z0-9_]+)|\[\s*(?:'([^'\]]+)'|"([^"\]]+)")\s*\])""")


class SignedPart(Struct, frozen=True):
    """A piece of what is signed: text of its own, or the request's body, its timestamp or the header named `text`."""

    kind: Literal["text", "body", "timestamp", "header"]
    text: str = ""


class BadSignedText(ValueError):
    """A text does not say what is signed. `start` and `end` are the place of the error in it."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


def signed_parts(text: str) -> tuple[SignedPart, ...]:
    """Return the pieces of a signed text in their order. Raises `BadSignedText`."""
    parts: list[SignedPart] = []
    end = 0
    for place in _PLACE.finditer(text):
        if place.start() > end:
            parts.append(SignedPart("text", text[end : place.start()]))
        parts.append(_part(place))
        end = place.end()
    if text[end:]:
        parts.append(SignedPart("text", text[end:]))
    if len(parts) > MAX_PARTS:
        raise BadSignedText(f"`signed` has at most {MAX_PARTS} parts", 0, len(text))
    return tuple(parts)


def _part(place: re.Match[str]) -> SignedPart:
    name = place[1].strip()
    if name in ("body", "timestamp"):
        return SignedPart(name)  # type: ignore[arg-type]  # one of its kinds
    header = _HEADER.fullmatch(name)
    if header is None:
        raise BadSignedText(f"`{name}` is no part of what is signed", *place.span())
    return SignedPart("header", (header[1] or header[2] or header[3]).lower())
