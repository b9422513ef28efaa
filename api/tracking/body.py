"""Reading a request: headers, and a body of limited size in the encodings and media types that trackers send."""

import zlib
from collections.abc import Iterable, Mapping

from litestar.types import Receive

from api.problem import HttpProblem
from api.request_id import HEADER
from engine.tracking.intake.payload import MAX_BODY

# Media types that senders of JSON name: sendBeacon names text, curl a form unless it is given another one.
JSON_TYPES = frozenset({b"application/json", b"text/plain", b"application/x-www-form-urlencoded", b""})
GZIP = b"\x1f\x8b"  # how gzip begins (RFC 1952); no JSON does
WANTED = frozenset({b"authorization", b"content-encoding", b"content-type", b"headrace-hops", b"origin", HEADER})


class ClientGone(Exception):
    """The client closed the connection before its request was complete: no answer can reach it."""


def wanted_headers(headers: Iterable[tuple[bytes, bytes]], wanted: frozenset[bytes] = WANTED) -> dict[bytes, bytes]:
    """Return the headers that tracking needs. One that comes twice with different values is refused."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in wanted and found.setdefault(name, value) != value and name != HEADER:
            raise HttpProblem(400, f"the header {name.decode()} stands twice with different values")
    return found


def bearer(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the key of `Authorization: Bearer KEY`."""
    scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def origin(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the web origin that a browser names."""
    found = headers.get(b"origin")
    return found.decode("latin-1") if found is not None else None


def hops(headers: Mapping[bytes, bytes]) -> int:
    """Return how many look-ups led to this request, one by the other. Raises `HttpProblem` (400)."""
    text = headers.get(b"headrace-hops", b"0")
    if not (text.isdigit() and len(text) < 10):
        raise HttpProblem(400, "the header Headrace-Hops is a whole number")
    return int(text)


def check_media_type(headers: Mapping[bytes, bytes], *more: bytes) -> None:
    """Refuse a body that cannot be JSON in UTF-8, nor of one `more` media type. Raises `HttpProblem` (415)."""
    media, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    media = media.strip()
    is_json = media in JSON_TYPES or (media.startswith(b"application/") and media.endswith(b"+json"))
    if not is_json and media not in more:
        detail = f"send JSON as application/json or text/plain, not {media.decode('latin-1')}"
        raise HttpProblem(415, detail, {"Accept": "application/json, text/plain"})
    for parameter in parameters.split(b";"):
        name, _, charset = parameter.partition(b"=")
        if name.strip() == b"charset" and charset.strip(b' "') not in (b"utf-8", b"utf8"):
            raise HttpProblem(415, "send UTF-8")


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], most: int = MAX_BODY) -> bytes:
    """Return the body, decompressed, of `most` bytes then. The connection limits the time that it may take.

    Raises `HttpProblem` (413, 415) and `ClientGone`.
    """
    check_encoding(headers)
    return unpacked(await read_sent(receive, most), headers, most)


def check_encoding(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body that is neither gzip nor plain. Raises `HttpProblem` (415)."""
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b"gzip", b""):
        raise HttpProblem(415, "the body may be gzip or not compressed", {"Accept-Encoding": "gzip, identity"})


async def read_sent(receive: Receive, most: int = MAX_BODY) -> bytes:
    """Return the body as it was sent, of `most` bytes. Raises `HttpProblem` (413) and `ClientGone`."""
    body, more = await _piece(receive)
    if more:
        return await _rest(body, receive, most)
    if len(body) > most:
        raise _too_large(most)
    return body


def unpacked(body: bytes, headers: Mapping[bytes, bytes], most: int = MAX_BODY) -> bytes:
    """Return a body, decompressed if its header or its first two bytes say that it is gzip.

    Raises `HttpProblem` (400, 413).
    """
    if headers.get(b"content-encoding", b"").strip().lower() == b"gzip" or body[:2] == GZIP:
        return _unzipped(body, most)
    return body


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether more follow."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


async def _rest(first: bytes, receive: Receive, most: int) -> bytes:
    pieces, size = [first], len(first)
    more = True
    while more and size <= most:
        piece, more = await _piece(receive)
        pieces.append(piece)
        size += len(piece)
    if size > most:
        raise _too_large(most)
    return b"".join(pieces)


def _unzipped(body: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise HttpProblem(400, f"the body is not gzip: {error}") from None
    if len(plain) > most:
        raise _too_large(most)
    if not unpacker.eof or unpacker.unused_data:
        raise HttpProblem(400, "the body is not one whole gzip stream")
    return plain


def _too_large(most: int) -> HttpProblem:
    detail = f"a body has at most {most} bytes, decompressed: send fewer events at once"
    return HttpProblem(413, detail, {"Connection": "close"})
