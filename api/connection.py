"""A connection: uvicorn's protocol, bounded in time and size, which ignores offers to upgrade.

The parser takes what follows the head of a request that offers an upgrade for another protocol, so a body would be
taken for the next request. Such a head is therefore fed again without the offer, to a new parser.
"""

import asyncio
import re
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.problem import MEDIA_TYPE, encoded_problem
from api.response_headers import NO_SNIFF
from engine.tracking.intake.payload import MAX_BODY

MAX_HEAD = 65_536  # bytes of a request's line and headers
# Bytes of a request as it comes over the line: one that sends its body in chunks of a byte needs six for each.
MAX_REQUEST = MAX_HEAD + 8 * MAX_BODY
REQUEST_SECONDS = 30  # for a request to arrive, head and body
_OFFER = frozenset({b"upgrade", b"http2-settings"})
# A name or an address, and a port (RFC 9112, section 3.2).
_HOST = re.compile(rb"([A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_NO_REQUEST = "this is no HTTP request"


class Connection(HttpToolsProtocol):
    """Reads requests; one that is too slow or too large is refused and its connection closed."""

    seconds: float = REQUEST_SECONDS
    _in_head = True
    _size = 0  # bytes that have come of the request that is being read
    _deadline: asyncio.TimerHandle | None = None
    _host: bytes | None = None  # the newest one that was valid; clients send the same one again and again
    _fault = _NO_REQUEST  # why a request cannot be parsed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the time limit of the first request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.seconds, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit."""
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse more bytes; refuse a request that is too large."""
        self._unset_keepalive_if_required()
        self._size += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(400, self._fault)
            return
        if not self._size or self.transport.is_closing():
            return
        if self._in_head and self._size > MAX_HEAD:
            self._refuse(431, f"the headers of a request have at most {MAX_HEAD} bytes")
        elif self._size > MAX_REQUEST:
            self._refuse(413, f"a body has at most {MAX_BODY} bytes: send fewer events at once")
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self._too_late)

    def on_headers_complete(self) -> None:
        """Handle a complete head. One that offers an upgrade is parsed again without the offer."""
        if not self.parser.should_upgrade():
            self._check_host()
            self._in_head = False
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Handle a complete request."""
        if not self.parser.should_upgrade():
            self._in_head, self._size = True, 0
            self._cancel_deadline()
            super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if self.parser.get_method() == b"CONNECT":
                    raise httptools.HttpParserError("CONNECT") from None
                head, data = self._plain_head(), data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                self.parser.feed_data(head)
                if data:
                    continue
            return

    def _plain_head(self) -> bytes:
        """The head that has been read, without its offer to upgrade."""
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + self.parser.get_http_version().encode()]
        for name, value in self.headers:
            if name == b"connection":
                kept = [one.strip() for one in value.split(b",") if one.strip().lower() not in _OFFER]
                lines.append(b"connection: " + b", ".join(kept))
            elif name not in _OFFER:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def _check_host(self) -> None:
        """Raise an error of the parser unless the request names one valid host, or none in HTTP/1.0.

        A proxy and this server that each read another host would disagree on the site that a request is for.
        """
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) == 1 and (hosts[0] == self._host or _HOST.fullmatch(hosts[0].strip())):
            self._host = hosts[0]
        elif hosts or self.parser.get_http_version() != "1.0":
            self._fault = "send one Host header, with a name or an address, and its port if it has one"
            raise httptools.HttpParserError(self._fault)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if self._in_head and cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # the request before this one is still to be answered
        elif self._in_head or not (cycle.response_started or self.pipeline):
            self._refuse(408, f"the request did not arrive within {self.seconds:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer in place of the application, for which the client is disconnected now, and close."""
        if self.cycle is not None and not self.cycle.response_complete:
            started = self.cycle.response_started or (not self._in_head and self.pipeline)
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if started:
                self.transport.close()
                return
        body = encoded_problem(status, detail)
        lines = (
            b"content-type: " + MEDIA_TYPE.encode(),
            b"content-length: %d" % len(body),
            b": ".join(NO_SNIFF),
            b"connection: close",
        )
        self.transport.write(STATUS_LINE[status] + b"\r\n".join([*lines, b"", body]))
        self.transport.close()
