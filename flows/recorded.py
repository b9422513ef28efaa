"""Recorded requests: `*.http` files, as they stand beside a webhook.

A request is its line, its headers, an empty line and its body, as HTTP/1.1 has them (RFC 9112), but with the line ends
of a text file. A line `###` comes between two requests. Lines before a request that begin with `#` are comments.
"""

import re
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from engine.tracking.foreign.translation import ForeignRequest

BETWEEN: Final = "###"
ADDRESSES: Final = ("/webhook/collect/", "/event/hook/collect/")
MAX_BYTES: Final = 1_048_576  # of a file

_LINE = re.compile(r"([A-Z]+) (\S+)(?: HTTP/1\.[01])?")
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*)")


class RecordedRequest(Struct, frozen=True):
    """A request of a file. `line` is where it begins; the names of its headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    line: int

    @property
    def webhook(self) -> str | None:
        """The name of the webhook at its address; None if it is no address of one."""
        path = urlsplit(self.target).path
        return next((unquote(path.removeprefix(each)) for each in ADDRESSES if path.startswith(each)), None)

    @property
    def request(self) -> ForeignRequest:
        """The request as a server reads it."""
        parts = urlsplit(self.target)
        return ForeignRequest(
            path=unquote(parts.path),
            query=parse_qs(parts.query, keep_blank_values=True),
            body=self.body,
            headers={name.encode(): value.encode() for name, value in self.headers.items()},
            method=self.method,
            target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
        )


class BadRecording(Exception):
    """A file holds something else than requests. The message says why, `line` where."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


def read_recorded(text: str) -> tuple[RecordedRequest, ...]:
    """Return the requests of a file. Raises `BadRecording`."""
    if len(text) > MAX_BYTES:
        raise BadRecording(1, f"a file of requests has at most {MAX_BYTES} characters")
    found: list[RecordedRequest] = []
    lines = text.replace("\r\n", "\n").split("\n")
    start = 0
    for at, line in enumerate([*lines, BETWEEN]):
        if line.startswith(BETWEEN):
            request = _request(lines[start:at], start + 1)
            found += [request] if request is not None else []
            start = at + 1
    if not found:
        raise BadRecording(1, "there is no request: begin with `POST /webhook/collect/NAME HTTP/1.1`")
    return tuple(found)


def _request(lines: list[str], number: int) -> RecordedRequest | None:
    """Return the request in some lines, the first of which has this number; None if there is none."""
    at = 0
    while at < len(lines) and (not lines[at].strip() or lines[at].startswith("#")):
        at += 1
    if at == len(lines):
        return None
    first = number + at
    start = _LINE.fullmatch(lines[at].strip())
    if start is None:
        raise BadRecording(first, "a request begins with its line, e.g. `POST /webhook/collect/NAME HTTP/1.1`")
    headers: dict[str, str] = {}
    for place, line in enumerate(lines[at + 1 :], at + 1):
        if not line.strip():
            return RecordedRequest(start[1], start[2], headers, _body(lines[place + 1 :]), first)
        header = _HEADER.fullmatch(line.strip())
        if header is None:
            raise BadRecording(number + place, "a header is `Name: value`; the body follows behind an empty line")
        headers[header[1].lower()] = header[2].strip()
    return RecordedRequest(start[1], start[2], headers, b"", first)


def _body(lines: list[str]) -> bytes:
    """Return a body without the line ends behind it."""
    return "\n".join(lines).rstrip("\n").encode()
