"""A connection: uvicorn's protocol, bounded in time and size, which ignores offers to upgrade.

The application gets a request when it is complete, and those for tracking pass the gate (`api/gate.py`): so a body
that comes slowly holds bytes and nothing else, and a request is shed before any of it is decoded.

The parser takes what follows the head of a request that offers an upgrade for another protocol, so a body would be
taken for the next request. Such a head is therefore fed again without the offer, to a new parser.
"""

import asyncio
import re
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.gate import Gate
from api.problem import MEDIA_TYPE, encoded_problem
from api.request_id import current
from api.response_headers import NO_SNIFF
from api.tracking.discovery import most_bytes, takes_events
from api.tracking.foreign import LARGE_BODY
from engine.tracking.intake.payload import MAX_BODY

MAX_HEAD = 65_536  # bytes of a request's line and headers
# Bytes of a request as it comes over the line: one that sends its body in chunks of a byte needs six for each.
MAX_REQUEST = MAX_HEAD + 8 * MAX_BODY
MAX_WAITING = 50  # requests of a connection behind the one that is processed; each takes some 8 KiB
HEAD_SECONDS = 10  # for the head of a request to arrive
REQUEST_SECONDS = 30  # for a request to arrive, head and body
LINGER_SECONDS = 1  # that what still comes of a refused body is read and dropped, so that its sender sees the answer
SHED = "the server has more requests than it can process: send this again later"
_OFFER = frozenset({b"upgrade", b"http2-settings"})
# A name or an address, and a port (RFC 9112, section 3.2).
_HOST = re.compile(rb"([A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
_STOPS = (httptools.HttpParserError, httptools.HttpParserUpgrade)  # the parser raises one of these when it stops
_LONG_HEAD = f"the headers of a request have at most {MAX_HEAD} bytes"
_NO_REQUEST = "this is no HTTP request"
GZIP = b"\x1f\x8b"


def plain_size(body: bytearray) -> int:
    """Return the bytes of a gzip body, decompressed: it ends with that number, and one that lies there is refused."""
    return max(len(body), min(int.from_bytes(body[-4:], "little"), LARGE_BODY))


class Connection(HttpToolsProtocol):
    """Reads requests; one that is too slow or too large is refused and its connection closed. A `Client` of its gate.

    Requests of a connection are processed one after another. `_turn` is the one that is to be processed now, or is
    the next one; those behind it wait in `pipeline`.
    """

    head_seconds: float = HEAD_SECONDS
    seconds: float = REQUEST_SECONDS
    size = 0  # bytes of the request at the gate, decompressed
    came = 0.0  # when that request was complete, in seconds
    gone = False
    _full = False  # no more requests are read, since `MAX_WAITING` wait
    _in_head = True
    _size = 0  # bytes that have come of the request that is being read
    _held = 0  # bytes of bodies that the gate counts and that are not being processed
    _counted = 0  # those of them that belong to the body that is arriving
    _arriving = False
    _deadline: asyncio.TimerHandle | None = None
    _host: bytes | None = None  # the newest one that was valid; clients send the same one again and again
    _fault = _NO_REQUEST  # why a request cannot be parsed
    _deadline_of_head = True
    _turn: RequestResponseCycle | None = None
    _turn_app: Any = None
    _started: RequestResponseCycle | None = None  # the last one that the application got

    def __init__(self, *settings: Any, gate: Gate | None = None, **more: Any) -> None:
        super().__init__(*settings, **more)
        self.gate = gate or Gate()

    # ---- the connection ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the time limit of the first request."""
        super().connection_made(transport)
        self._set_deadline()
        self.gate.admit(self, len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit, and give up what the gate counts."""
        self._cancel_deadline()
        self._leave_gate()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse more bytes; refuse a request that is too large."""
        if self._full:
            return
        if self.gone:  # the rest of a body that was refused
            self.gate.pace.read(self, len(data))
            return
        self._size += len(data)
        try:
            self.parser.feed_data(data)
        except _STOPS as stop:
            if not self._feed_without_offer(stop, data):
                if not self._full:
                    self._refuse(400, self._fault)
                return
        if not self._size or self.transport.is_closing():
            return
        if self._in_head and self._size > MAX_HEAD:
            self._refuse(431, _LONG_HEAD)
        elif self._size > MAX_REQUEST:
            self._refuse(413, f"a body has at most {MAX_BODY} bytes: send fewer events at once")
        else:
            self._set_deadline()
            if not self._in_head:
                self._hold_arriving()
                if self._size > self.gate.bounds.large:
                    self.gate.pace.read(self, len(data))

    # ---- the parser's callbacks -------------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        """Handle a complete head. One that offers an upgrade is parsed again without the offer."""
        if not self.parser.should_upgrade():
            self._check_host()
            if self._size > MAX_HEAD:  # perhaps it has a body behind it
                self._check_head()
            if len(self.pipeline) >= MAX_WAITING:
                self._read_no_more()
            self._in_head = False
            super().on_headers_complete()

    def _check_head(self) -> None:
        """Refuse a head that has come at once and is too long. Raises an error that ends the parsing."""
        if len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers]) > MAX_HEAD:
            self._refuse(431, _LONG_HEAD)
            raise httptools.HttpParserError(_LONG_HEAD)

    def _read_no_more(self) -> None:
        """Close the connection after the answers to the requests that wait. Raises an error that ends the parsing."""
        self._full = True
        self._cancel_deadline()
        self.cycle.keep_alive = False  # of the last one that waits
        raise httptools.HttpParserError("too many requests wait")

    def on_body(self, body: bytes) -> None:
        """Keep a piece of a body."""
        kept = self.cycle.body
        kept += body
        if len(kept) > MAX_BODY and len(kept) > (most := most_bytes(self.cycle.scope["path"])):
            self._refuse(413, f"a body has at most {most} bytes, decompressed: send fewer events at once")
            raise httptools.HttpParserError("the request is refused")  # ends the parsing

    def on_message_complete(self) -> None:
        """Handle a complete request."""
        if not self.parser.should_upgrade():
            self._in_head, self._size = True, 0
            self._cancel_deadline()
            if self._arriving:
                self._arriving = False
                self.gate.arriving.pop(self, None)
            cycle = self.cycle
            cycle.more_body = False
            if self._turn is cycle:
                counted, self._counted = self._counted, 0
                self._complete(cycle, counted)
            else:  # the requests before it are to be answered first
                self._hold_arriving()
                self._counted = 0

    def _hold_arriving(self) -> None:
        """Have the gate count the body that is arriving, as far as it has come."""
        cycle = self.cycle
        if self.gone:  # the parser goes on to the end of what has come
            return
        size = len(cycle.body) - self._counted
        if cycle.more_body:
            self._arriving = True
            self.gate.arriving[self] = None
        self._counted += size
        self._held += size
        self.gate.hold(self, size)

    # ---- the turn of a request --------------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Note whose turn it is: uvicorn calls this when the head is complete, or the request before it is answered."""
        self._turn, self._turn_app = cycle, app
        if not cycle.more_body:
            self._complete(cycle, len(cycle.body))
        elif cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _complete(self, cycle: RequestResponseCycle, counted: int) -> None:
        """Process a complete request whose turn it is, or have the gate decide. The gate has counted bytes of it."""
        gate, body = self.gate, cycle.body
        if self.gone:
            return
        gate.idle.pop(self, None)
        self.came = perf_counter()
        self.size = size = plain_size(body) if body[:2] == GZIP else len(body)
        if size != counted:
            self._held += size - counted
            gate.bytes += size - counted
            if gate.bytes > gate.bounds.body_bytes and not gate.make_room(self):
                return
        path = cycle.scope["path"]
        if path == "/track" or takes_events(path):
            gate.enter(self)
        else:
            self.start(gated=False)

    def start(self, *, gated: bool = True) -> None:
        """Process the complete request."""
        self._started = cycle = self._turn
        assert cycle is not None  # noqa: S101
        self._held -= self.size
        cycle.message_event.set()
        current.set(cycle.scope)  # the task copies it
        task = self.loop.create_task(cycle.run_asgi(self._turn_app))
        self.tasks.add(task)
        task.add_done_callback(partial(self._end, self.size, self.came if gated else None))

    def _end(self, size: int, came: float | None, task: asyncio.Task[None]) -> None:
        """Note that a request has been processed; the next one may be processed already.

        `came` is when it was complete, of one that the gate has started.
        """
        self.tasks.discard(task)
        if came is not None:
            self.gate.leave(size)
            self.gate.requests.observe(perf_counter() - came)
        else:
            self.gate.release(size)
        turn = self._turn
        if not self.gone and (turn is None or turn.response_complete or turn.more_body):
            self.gate.idle[self] = self.gate.seconds

    def on_response_complete(self) -> None:
        """Turn to the next request, as in uvicorn, but without a timer: the gate closes what stays idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def _is_idle(self) -> bool:
        """Whether no complete request is under way."""
        turn = self._turn
        return not self.gone and (turn is None or turn.response_complete or turn.more_body)

    # ---- for the gate -----------------------------------------------------------------------------------------------

    def shed(self, retry_after: int) -> None:
        """Answer 503 to the request at the gate, and read no other one before that time, unless the gate resumes."""
        cycle = self._turn
        assert cycle is not None  # noqa: S101
        self._held -= self.size
        self.gate.release(self.size)
        cycle.response_started = cycle.response_complete = True
        cycle.body = bytearray()
        self.transport.write(_response(503, SHED, retry_after, close=not cycle.keep_alive))
        if not cycle.keep_alive:
            self.transport.close()
            return
        self.on_response_complete()
        if self._is_idle() and self._size == 0:
            self.gate.idle[self] = self.gate.seconds
            self.flow.pause_reading()
            self.gate.rest(self, retry_after)

    def pause(self) -> None:
        """Read no more of the connection, until it is resumed."""
        self.flow.pause_reading()

    def resume(self) -> None:
        """Read the connection again."""
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def expire(self) -> None:
        """Close the connection unless a request is arriving: that one has its own time limit, as has the first one."""
        if self._turn is not None and not self._size:
            self.transport.close()

    def refuse(self) -> None:
        """Answer 503 to the request that has come or is arriving, if one is, and close the connection."""
        if self._size or not self._is_idle():
            self._refuse(503, SHED, retry_after=1)
        else:
            self._leave_gate()
            self.transport.close()

    def _leave_gate(self) -> None:
        self.gone = True
        self.gate.release(self._held)
        self._held = 0
        self.gate.forget(self)

    # ---- offers to upgrade ------------------------------------------------------------------------------------------

    def _feed_without_offer(self, stop: Exception, data: bytes) -> bool:
        """Go on after an offer to upgrade, at which the parser has stopped. Returns whether all has been parsed."""
        while isinstance(stop, httptools.HttpParserUpgrade) and self.parser.get_method() != b"CONNECT":
            head, data = self._plain_head(), data[stop.args[0] :]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            try:
                self.parser.feed_data(head)
                if data:
                    self.parser.feed_data(data)
            except _STOPS as next_stop:
                stop = next_stop
            else:
                return True
        return False

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
        host, count = b"", 0
        for name, value in self.headers:
            if name == b"host":
                host, count = value, count + 1
        if count == 1 and (host == self._host or _HOST.fullmatch(host.strip())):
            self._host = host
        elif count or self.parser.get_http_version() != "1.0":
            self._fault = "send one Host header, with a name or an address, and its port if it has one"
            raise httptools.HttpParserError(self._fault)

    # ---- refusals ---------------------------------------------------------------------------------------------------

    def _set_deadline(self) -> None:
        """Start the time limit of a head, or of a whole request once its head is complete."""
        if self._deadline is not None:
            if self._in_head or not self._deadline_of_head:
                return
            self._deadline.cancel()
        self._deadline_of_head = self._in_head
        seconds = self.head_seconds if self._in_head else self.seconds
        self._deadline = self.loop.call_later(seconds, self._too_late, seconds)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self, seconds: float) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if self._in_head and cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # the request before this one is still to be answered
        elif self._in_head or not (cycle.response_started or self.pipeline):
            self._refuse(408, f"the request did not arrive within {seconds:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str, retry_after: int | None = None) -> None:
        """Answer in place of the application and close; without an answer if a request before it is processed."""
        if self.gone:
            return
        self._cancel_deadline()
        self._leave_gate()
        started = self._started
        if started is not None and not started.response_complete:  # an answer now would be taken for its answer
            started.disconnected = True
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.body = bytearray()
        self.transport.write(_response(status, detail, retry_after, close=True))
        if self._in_head:
            self.transport.close()
        else:
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.close)


@lru_cache(maxsize=64)
def _response(status: int, detail: str, retry_after: int | None, *, close: bool) -> bytes:
    body = encoded_problem(status, detail)
    lines = [
        b"content-type: " + MEDIA_TYPE.encode(),
        b"content-length: %d" % len(body),
        b": ".join(NO_SNIFF),
        *([b"retry-after: %d" % retry_after] if retry_after is not None else []),
        *([b"connection: close"] if close else []),
    ]
    return STATUS_LINE[status] + b"\r\n".join([*lines, b"", body])
