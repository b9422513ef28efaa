"""Forms: fields with a name and a text, as browsers and many webhooks send them, url-encoded or in parts."""

from typing import Any, Final
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

URL_ENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
MAX_FIELDS: Final = 500  # of a form or a query

_JSON_BEGINS: Final = (b"{", b"[", b'"')  # a form has these characters percent-encoded


class BadForm(Exception):
    """A form that cannot be read. `reason` is for its sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_form(content_type: str, body: bytes) -> bool:
    """Return whether a body is a form: by its media type, unless curl has named a form by itself and it is JSON."""
    media = content_type.partition(";")[0].strip().lower()
    if media == URL_ENCODED:
        text = body.strip()
        return text not in (b"", b"null") and not text.startswith(_JSON_BEGINS)
    return media == MULTIPART


def form_fields(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of a form: text, or a list of texts for a name that occurs several times.

    A file in a part becomes `{"filename", "content_type", "size"}` (bytes); its content is left out. Raises `BadForm`.
    """
    if content_type.lower().lstrip().startswith(MULTIPART):
        return _by_name(_parts(content_type, body))
    return url_encoded_fields(_text(body).strip(), errors="strict")


def url_encoded_fields(text: str, errors: str = "replace") -> dict[str, Any]:
    """Return the fields of a url-encoded text. Raises `BadForm` for too many, or for what `errors` makes an error."""
    try:
        return _by_name(parse_qsl(text, keep_blank_values=True, errors=errors, max_num_fields=MAX_FIELDS))
    except UnicodeDecodeError as error:
        raise BadForm(f"a field is not UTF-8: {error.reason}") from None
    except ValueError:
        raise BadForm(f"a form or a query has at most {MAX_FIELDS} fields") from None


def _by_name(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _parts(content_type: str, body: bytes) -> list[tuple[str, Any]]:
    """Return the fields of a form in parts, in their order."""
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    fields: list[tuple[str, Any]] = []
    part: MultipartSegment | None = None
    pieces: list[bytes] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=MAX_FIELDS) as parser:
            for event in parser.parse(body) if body else ():
                if event is None and part is not None:
                    fields.append((part.name or "", _value(part, b"".join(pieces))))
                    pieces = []
                elif isinstance(event, MultipartSegment):
                    part = event
                elif event is not None:
                    pieces.append(bytes(event))
    except (MultipartError, ValueError) as error:
        raise BadForm(f"the form is malformed: {error}") from None
    return fields


def _value(part: MultipartSegment, content: bytes) -> Any:
    if part.filename is not None:
        return {"filename": part.filename, "content_type": part.content_type or "", "size": len(content)}
    return _text(content)


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadForm(f"a field is not UTF-8: {error.reason} at byte {error.start}") from None
