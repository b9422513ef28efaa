"""Answers: what a target sent back, read up to a limit and taken for JSON or text."""

import re
from typing import Any, Final

import msgspec
from aiohttp import ClientResponse

from effects.http_request import Refused

DEEPEST = 64  # levels of nesting; what is deeper stays text
BUSY: Final = frozenset({429, 500, 502, 503, 504})  # statuses that say "not now": as good as no answer, so retriable
_CHUNK = 65_536
# Others are not decoded: some cost more than they should, some make text that is none (surrogates).
_CHARSET = re.compile(
    r"utf-?8|utf-?16|utf-16-?[bl]e|(us-)?ascii|latin-?1|iso-?8859-([1-9]|1[013456])|(windows-|cp)125[0-8]",
    re.ASCII | re.IGNORECASE,
)
_READABLE = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_INTEGERS = range(-(1 << 63), 1 << 64)  # what every store can keep


async def read(response: ClientResponse, most: int) -> bytes:
    """The decoded body. Raises `Refused` beyond `most` bytes, counted after decompression, and reads no further."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _READABLE:
        raise Refused("the answer is compressed in a way that was not asked for")
    if response.content_length is not None and response.content_length > most and response.method != "HEAD":
        raise Refused(_too_long(most))
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        if len(body) + len(chunk) > most:
            raise Refused(_too_long(most))
        body += chunk
    return bytes(body)


def text_of(body: bytes, charset: str | None) -> str:
    """The body as text; bytes that do not fit the charset become U+FFFD.

    What is in a charset that is not known here must be UTF-8 after all, else it is `Refused`.
    """
    if charset is None or _CHARSET.fullmatch(charset):
        return body.decode(charset or "utf-8", "replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Refused("the answer is in a charset that is not read: let the target answer in UTF-8") from None


def value_of(text: str, media_type: str) -> Any:
    """Decoded JSON, or the text when it is not JSON, None when it is empty.

    What does not say that it is JSON is tried when it begins like an object or a list. NaN, Infinity, numbers beyond
    64 bits and nesting deeper than `DEEPEST` are no JSON here.
    """
    if not text:
        return None
    named = media_type == "application/json" or media_type.endswith("+json")
    if not named and text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text
    return value if _fits(value) else text


def _fits(value: Any) -> bool:
    """Whether the value's nesting and numbers are within what Headrace keeps."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, int) and item not in _INTEGERS:
                return False
        if not below:
            return True
        level = below
    return False


def _too_long(most: int) -> str:
    return f"the answer is longer than {most} bytes"
