"""Responses of targets: reads a body up to a limit and decodes it as JSON or text."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any, Final

import msgspec
from aiohttp import ClientResponse

from effects.http_request import RequestRefused
from engine.language.surrogates import without_lone_surrogates

MAX_DEPTH = 64  # levels of nesting; a deeper document stays text
RETRIABLE_STATUSES: Final = frozenset({429, 500, 502, 503, 504})  # the target cannot answer now: a retry may succeed
_CHUNK = 65_536
_MAX_WAIT = 86_400 * 365  # seconds; a longer `Retry-After` makes no difference
_MAX_DIGITS = 12
# No other charset is decoded: some are slow to decode, and some decode to lone surrogates, which are not text.
_CHARSET = re.compile(
    r"utf-?8|utf-?16|utf-16-?[bl]e|(us-)?ascii|latin-?1|iso-?8859-([1-9]|1[013456])|(windows-|cp)125[0-8]",
    re.ASCII | re.IGNORECASE,
)
_DECODED_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_MAX_NUMBER_DIGITS = 1000  # of an integer, as in events
_LARGEST = 10**_MAX_NUMBER_DIGITS


async def read_body(response: ClientResponse, max_bytes: int) -> bytes:
    """Return the decompressed body.

    Raises `RequestRefused` as soon as the body exceeds `max_bytes`, counted after decompression, or if it is
    compressed with a method that the request did not accept.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _DECODED_ENCODINGS:
        raise RequestRefused("the answer is compressed with a method that was not asked for")
    if response.content_length is not None and response.content_length > max_bytes and response.method != "HEAD":
        raise RequestRefused(_too_long(max_bytes))
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        if len(body) + len(chunk) > max_bytes:
            raise RequestRefused(_too_long(max_bytes))
        body += chunk
    return bytes(body)


def decode_text(body: bytes, charset: str | None) -> str:
    """Return the body as text; bytes that the charset does not allow become U+FFFD.

    A body in a charset that is not supported is decoded as UTF-8. Raises `RequestRefused` if it is not UTF-8.
    """
    if charset is None or _CHARSET.fullmatch(charset):
        return body.decode(charset or "utf-8", "replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise RequestRefused(
            "the answer is in a charset that is not supported: let the target answer in UTF-8"
        ) from None


def says_json(media_type: str) -> bool:
    """Return whether bodies of this media type are JSON."""
    return media_type == "application/json" or media_type.endswith("+json")


def parse_value(text: str, media_type: str) -> Any:
    """Return the decoded JSON, the text itself if it is not JSON, or None if it is empty.

    Text whose media type is not JSON is parsed only if it starts like an object or a list. Text with NaN, Infinity,
    integers of more than 1,000 digits or nesting deeper than `MAX_DEPTH` is not accepted as JSON. U+FFFD stands for
    lone surrogates.
    """
    if not text:
        return None
    if not says_json(media_type) and text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        value = _decoded(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text
    return value if _within_limits(value) else text


def retry_after_ms(header: str | None, now: int) -> int:
    """Return how long a target asks to wait before a retry (`Retry-After`, RFC 9110), in ms; 0 if it does not say.

    The header is a number of seconds or an HTTP date; `now` is in ms.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:_MAX_DIGITS]), _MAX_WAIT) * 1000
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now / 1000
    return min(max(ceil(seconds), 0), _MAX_WAIT) * 1000


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.json.decode(without_lone_surrogates(text.encode()))


def _within_limits(value: Any) -> bool:
    """Return whether the nesting and the integers of the value are within the limits of the stores."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, int) and not -_LARGEST < item < _LARGEST:
                return False
        if not below:
            return True
        level = below
    return False


def _too_long(max_bytes: int) -> str:
    return f"the answer is longer than {max_bytes} bytes"
