"""The body of a webhook's request, as its media type says: JSON, a form, or text.

A number that cannot be kept exactly is read as the text that the sender has written: no one can ask the sender to
write it otherwise, and a rounded one would be another number.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.language.surrogates import without_lone_surrogates
from engine.tracking.intake.data_limits import TOO_DEEP, number_or_text
from engine.tracking.intake.form import MULTIPART, URL_ENCODED, BadForm, form_fields, is_form
from engine.tracking.intake.mending import fault_of_json

_JSON: Final = ("application/json", "text/json", URL_ENCODED)  # curl names a form where it sends JSON
_JSON_BEGINS: Final = ("{", "[")
_CODECS: Final = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
}  # by the charset of a media type

_exact = msgspec.json.Decoder(Any, float_hook=number_or_text)


class UnreadableBody(Exception):
    """A body that is not what its media type says. `at` is the place in it, a JSON pointer."""

    def __init__(self, reason: str, at: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class ReadBody(Struct, frozen=True):
    """A body. `value` is None where it has no structure, and `text` where it is a form in parts."""

    value: Any = None
    text: str | None = None


def read_body(content_type: str, body: bytes) -> ReadBody:
    """Return what a body holds. Raises `UnreadableBody`."""
    media = content_type.partition(";")[0].strip().lower()
    if not body:
        return ReadBody(None, "")
    if media == MULTIPART or is_form(content_type, body):
        text = None if media == MULTIPART else _text(body, content_type)
        try:
            return ReadBody(form_fields(content_type, body), text)
        except BadForm as bad:
            raise UnreadableBody(bad.reason) from None
    text = _text(body, content_type)
    if media in _JSON or media.endswith("+json"):
        return ReadBody(_json(text), text)
    return ReadBody(_json_or_none(text), text)


def _text(body: bytes, content_type: str) -> str:
    """Return a body as text, in the charset of its media type."""
    charset = _charset(content_type)
    codec = _CODECS.get(charset)
    if codec is None:
        taken = ", ".join([name for name in _CODECS if name])
        raise UnreadableBody(f"the charset `{charset[:40]}` of the body is none of {taken}")
    try:
        return body.decode(codec)
    except UnicodeDecodeError as error:
        raise UnreadableBody(f"the body is not {charset or 'utf-8'} at byte {error.start}") from None


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip(" \"'\t").lower()
    return ""


def _json(text: str) -> Any:
    """Return the value of JSON text; U+FFFD stands for lone surrogates in it. Raises `UnreadableBody`."""
    try:
        return _exact.decode(text)
    except RecursionError:
        raise UnreadableBody(TOO_DEEP) from None
    except (msgspec.MsgspecError, ValueError):
        raw = without_lone_surrogates(text.encode())
    try:
        return _exact.decode(raw)
    except RecursionError:
        raise UnreadableBody(TOO_DEEP) from None
    except (msgspec.MsgspecError, ValueError) as error:
        at, reason = fault_of_json(raw, "") or ("", str(error))
        raise UnreadableBody(reason, at) from None


def _json_or_none(text: str) -> Any:
    """Return the value of a text that is JSON, though its media type does not say so; None for any other text."""
    if not text.lstrip().startswith(_JSON_BEGINS):
        return None
    try:
        return _json(text)
    except UnreadableBody:
        return None
