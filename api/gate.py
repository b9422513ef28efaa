"""The gate: of the complete requests for tracking, it decides which start, which wait, and which are shed.

    arriving    its body has begun and is not complete; its connection holds the bytes
    waiting     it is complete, and as many requests as are useful are being processed
    running     it is processed; a unit of it that waits for the outside, or for another unit of its profile, needs no
                slot, and each other one that runs beside them needs one more
    resting     a connection whose request was shed. It is not read before its Retry-After is over, or there is
                room: clients that come again at once take no time from the requests that are processed.

Requests with large bodies have a queue of their own, so that small ones do not wait behind them. The bytes of all
bodies are bounded: when they are too many, the body that has been arriving for longest is refused. So are connections:
when they are too many, the one that has been idle for longest is closed. One sweep a second closes those that have been
idle for too long: a timer for each request would cost more.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

import structlog
from msgspec import Struct

from api.occasional_log import OccasionalLog
from api.pace import Pace
from api.shedder import Shedder
from engine.tracking.unit.families import SHED
from engine.tracking.unit.meter import Meter

TICK_SECONDS = 0.01  # between two looks at what waits or rests, besides those when a request ends
LARGE_SECONDS = 5.0  # that a request with a large body may wait
IDLE_SECONDS = 5  # that a connection stays open without a request
RESUMED = 2  # resting connections that are read again when a request has ended
RESTING_PER_SECOND = 250  # shed connections that may come back in one second

log = structlog.get_logger("headrace.load")


class Bounds(Struct, frozen=True, kw_only=True):
    """How much one process takes at a time. Sizes are bytes of bodies, decompressed once they are complete."""

    connections: int = 10_000
    running: int = 128  # units, one of most requests; more at a time are not processed faster
    body_bytes: int = 32 * 1024 * 1024  # arriving, waiting and running
    large: int = 32 * 1024  # the size from which a body is a large one
    small_bytes: int = 8 * 1024 * 1024  # running, of small bodies
    large_bytes: int = 1024 * 1024  # running, of large ones; a payload may take twenty times its size in memory


DEFAULT_BOUNDS = Bounds()


class Client(Protocol):
    """A connection as the gate sees it. It has at most one complete request at the gate, of `size` bytes."""

    size: int
    gone: bool  # it is closed, and waits for no answer

    def start(self) -> None:
        """Process the request. `Gate.leave` must be called at its end."""

    def shed(self, retry_after: int) -> None:
        """Answer 503 to the complete request; `retry_after` in seconds."""

    def refuse(self) -> None:
        """Answer 503 to the request that is arriving, if one is, and close the connection."""

    def pause(self) -> None:
        """Read no more of the connection."""

    def resume(self) -> None:
        """Read the connection again, after `Gate.rest` or a pause."""

    def expire(self) -> None:
        """Close the connection, which has been idle for too long."""


class RequestQueue:
    """Requests of similar size: those that wait, in the order of their arrival, and the bytes that are processed."""

    def __init__(self, bytes: int, shedder: Shedder) -> None:
        self.shedder = shedder
        self.waiting: deque[tuple[Client, float]] = deque()
        self.bytes = 0
        self.limit = bytes

    def fits(self, size: int) -> bool:
        """Whether the bytes of one more request may be processed now; one alone always may."""
        return self.bytes + size <= self.limit or not self.bytes


class Gate:
    """The gate of one process. `excused` returns how many running requests need no slot at the moment.

    `meter` counts requests that are shed, and how long the others take. `ticks` returns monotonic seconds, and `later`
    has a function called after some seconds.
    """

    def __init__(
        self,
        excused: Callable[[], int] = lambda: 0,
        bounds: Bounds = DEFAULT_BOUNDS,
        *,
        meter: Meter | None = None,
        ticks: Callable[[], float] | None = None,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self.bounds = bounds
        meter = meter or Meter()
        self.requests = meter.requests  # the durations of requests with events
        self._shed = meter.cell(SHED)
        self.bytes = 0  # of bodies that arrive, wait or run
        self.arriving: dict[Client, None] = {}  # in the order in which their bodies began
        self.idle: dict[Client, int] = {}  # connections without a complete request, idle for longest first; since when
        self.seconds = 0  # the time of `idle`: how many sweeps there have been
        self._excused = excused
        self._ticks = ticks or (lambda: asyncio.get_running_loop().time())
        self._later = later or (lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call))
        self.pace = Pace(self._ticks, self._later)
        self._running = 0
        self._more = 0  # units that run beside the first one of their requests
        self._small = RequestQueue(bounds.small_bytes, Shedder())
        self._large = RequestQueue(bounds.large_bytes, Shedder(LARGE_SECONDS, LARGE_SECONDS))
        self._resting: dict[Client, float] = {}  # until when
        self._ticking = False
        self._sweeping = False
        self._shed_log = self._logged("requests are shed, the server is overloaded")
        self._body_log = self._logged("requests are refused, the bodies under way are too many bytes")
        self._connection_log = self._logged("connections are closed or refused, there are too many", bounds.connections)

    # ---- requests ---------------------------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """How many requests are being processed."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many complete requests wait."""
        return len(self._small.waiting) + len(self._large.waiting)

    def is_busy(self) -> bool:
        """Return whether requests are being processed, or wait for that."""
        return self._running > 0 or bool(self._small.waiting or self._large.waiting)

    def enter(self, client: Client) -> None:
        """Start a client's complete request, or have it wait until there is room."""
        size = client.size
        queue = self._small if size <= self.bounds.large else self._large
        if not queue.waiting:
            fits = queue.bytes + size <= queue.limit or not queue.bytes
            if fits and (self._running + self._more < self.bounds.running or self._has_slot()):
                self._running += 1
                queue.bytes += size
                client.start()
                return
            queue.shedder.emptied(self._ticks())
        queue.waiting.append((client, self._ticks()))
        self._tick_later()

    def leave(self, size: int) -> None:
        """Note that a request has ended that was started with `size`, and count its bytes off."""
        queue = self._small if size <= self.bounds.large else self._large
        queue.bytes -= size
        self.bytes -= size
        self._running -= 1
        if self._ticking:
            self._advance()
            self._resume(RESUMED)

    def rest(self, client: Client, retry_after: int) -> None:
        """Note that a client is not read that may come back after so many seconds."""
        self._resting[client] = self._ticks() + retry_after
        self._tick_later()

    def forget(self, client: Client) -> None:
        """Forget a connection that is closed; a request that is being processed still leaves."""
        self.idle.pop(client, None)
        self.arriving.pop(client, None)
        self._resting.pop(client, None)
        self.pace.forget(client)

    def take_slots(self, wanted: int) -> int:
        """Give a running request up to `wanted` more slots, for units beside its first one. Returns how many.

        Half of the free slots stay free, for other requests.
        """
        free = self.bounds.running - self._running - self._more + self._excused()
        taken = max(0, min(wanted, free // 2))
        self._more += taken
        return taken

    def return_slots(self, count: int) -> None:
        """Take back slots of a running request."""
        self._more -= count

    def _has_slot(self) -> bool:
        return self._running + self._more - self._excused() < self.bounds.running

    def _advance(self) -> None:
        """Start and shed waiting requests. Large ones first: there are few of them at a time."""
        for queue in (self._large, self._small):
            waiting, now = queue.waiting, self._ticks()
            while waiting:
                client, arrived = waiting[0]
                if client.gone:
                    waiting.popleft()
                elif queue.shedder.sheds(now, arrived):
                    waiting.popleft()
                    self._shed_log.occurred()
                    self._shed.add()
                    client.shed(1 + len(self._resting) // RESTING_PER_SECOND)
                elif self._has_slot() and queue.fits(client.size):
                    waiting.popleft()
                    self._running += 1
                    queue.bytes += client.size
                    client.start()
                else:
                    break
            else:
                queue.shedder.emptied(now)

    def _resume(self, count: int) -> None:
        """Read `count` resting connections again, those first that have rested for longest, if nothing waits."""
        if self._resting and not self._small.waiting:
            for client in [client for client, _ in zip(self._resting, range(count), strict=False)]:
                self._end_rest(client)

    def _end_rest(self, client: Client) -> None:
        del self._resting[client]
        if self.idle.pop(client, None) is not None:
            self.idle[client] = self.seconds
        client.resume()

    def _tick_later(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        """Look at what waits and rests, as long as anything does."""
        self._ticking = False
        self._advance()
        self._resume(max(0, self.bounds.running - self._running - self._more + self._excused()))
        now = self._ticks()  # only the first are looked at: there may be thousands, and those behind may wait for them
        for client, _ in list(takewhile(lambda rest: rest[1] <= now, self._resting.items())):
            self._end_rest(client)
        if self._small.waiting or self._large.waiting or self._resting:
            self._tick_later()

    # ---- bounds -----------------------------------------------------------------------------------------------------

    def hold(self, client: Client, size: int) -> bool:
        """Count `size` more bytes of a client's body. Returns whether it may go on: if not, it has been refused."""
        self.bytes += size
        return self.bytes <= self.bounds.body_bytes or self.make_room(client)

    def release(self, size: int) -> None:
        """Count off bytes that were held."""
        self.bytes -= size

    def make_room(self, client: Client) -> bool:
        """Refuse bodies that arrive, the oldest first, until the bytes fit; at last the client's own."""
        while self.bytes > self.bounds.body_bytes:
            oldest = next(iter(self.arriving), client)
            self._refuse(oldest, self._body_log)
            if oldest is client:
                return False
        return True

    def admit(self, client: Client, connections: int) -> None:
        """Note a new connection, idle at first; of too many `connections` close the one that is idle for longest."""
        self.idle[client] = self.seconds
        if not self._sweeping:
            self._sweeping = True
            self._later(1, self._sweep)
        if connections > self.bounds.connections:
            self._refuse(next(iter(self.idle)), self._connection_log)

    def _sweep(self) -> None:
        """Close the connections that have been idle for too long; once a second, from the first connection on."""
        self.seconds += 1
        expired = takewhile(lambda entry: self.seconds - entry[1] > IDLE_SECONDS, self.idle.items())
        for client in [client for client, _ in expired if client not in self._resting]:
            client.expire()
        self._later(1, self._sweep)

    def _refuse(self, client: Client, why: OccasionalLog) -> None:
        self.forget(client)
        why.occurred()
        client.refuse()

    def _logged(self, message: str, most: int | None = None) -> OccasionalLog:
        more = {} if most is None else {"at_most": most}
        return OccasionalLog(lambda count: log.warning(message, since_last_line=count, **more), self._ticks)
