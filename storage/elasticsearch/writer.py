"""The coalescing writer: all queued writes share one `_bulk`, one request at a time.

A write ends as `Written`, as None (a clash: compare-and-set failed, or there was something already), or in
`Unavailable`. What a server may accept a little later is sent again, the same bytes, within a budget; a server that
cannot be reached has a smaller one, and one that is silent has none: all that waits fails. It is safe to send a write
again because each is a compare-and-set, a create of a document known by its id, or ordered by its own version: done
twice it is a clash. So a clash may be with the same write, of which only the answer was lost: callers find out.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct, json
from msgspec import field as named

from engine.ports.store import Overloaded, Unavailable
from storage.elasticsearch.backoff import pause
from storage.elasticsearch.connection import LINES, Connection, Lost, Silent
from storage.elasticsearch.error_cause import BLOCK, Cause, cause_of, may_pass
from storage.elasticsearch.operation import Operation, Written

MAX_OPERATIONS = 2000  # in one request
MAX_BYTES = 8 * 1024 * 1024
QUEUED_OPERATIONS = 50_000
QUEUED_BYTES = 128 * 1024 * 1024
BUDGET = 8.0  # seconds from the first try on
LONGEST = 10.0  # seconds in the queue: what a process has written that was paused must not come later
LOST_BUDGET = 1.6  # the same while the servers cannot be reached: senders wait two seconds for a store
LOST_PAUSE = 0.3  # seconds between such tries at most
SHARD_SECONDS = 3  # that the server waits for a missing shard

Outcome = Written | None


class _Item(Struct, frozen=True):
    status: int
    seq_no: int = named(default=0, name="_seq_no")
    term: int = named(default=0, name="_primary_term")
    error: Cause | None = None


class _Told(Struct, frozen=True):
    items: list[dict[str, _Item]]


_decode = json.Decoder(_Told).decode
_PATH = (
    f"/_bulk?timeout={SHARD_SECONDS}s&filter_path=items.*.status,items.*._seq_no,items.*._primary_term,items.*.error"
)


@dataclass(slots=True)
class _Order:
    """Operations that one caller waits for."""

    done: "asyncio.Future[list[Outcome]]"
    outcomes: list[Outcome]
    open: int
    failed: Unavailable | None = None

    def settle(self, place: int, outcome: Outcome | Unavailable) -> None:
        if isinstance(outcome, Unavailable):
            self.failed = outcome
        else:
            self.outcomes[place] = outcome
        self.open -= 1
        if self.open or self.done.done():  # done already: its caller was cancelled
            return
        if self.failed is not None:
            self.done.set_exception(self.failed)
        else:
            self.done.set_result(self.outcomes)


@dataclass(slots=True)
class _QueuedWrite:
    order: _Order
    place: int
    operation: Operation
    queued: float  # loop time
    since: float = 0.0  # loop time of the first try; 0 before it

    def settle(self, outcome: Outcome | Unavailable) -> None:
        self.order.settle(self.place, outcome)


@dataclass(slots=True)
class _Fate:
    """The outcome of a request: the operations to be sent again, and the reason."""

    again: list[_QueuedWrite] = field(default_factory=list)
    why: str | None = None
    lost: bool = False  # the servers were not reached


class Writer:
    """Owns all writes of documents. `trouble` says why the last request could not be done as a whole, or None."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: deque[_QueuedWrite] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.trouble: str | None = None

    async def one(self, operation: Operation) -> Outcome:
        """Write one document."""
        return (await self.send((operation,)))[0]

    async def send(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Write documents, in no order; their outcomes. Raises `Unavailable` if any may not have been written."""
        if not operations:
            return []
        if self._closed:
            raise Unavailable("the store is closed")
        weight = sum([operation.weight for operation in operations])
        if len(self._queue) + len(operations) > QUEUED_OPERATIONS or self._bytes + weight > QUEUED_BYTES:
            raise Overloaded(f"{len(self._queue)} writes ({self._bytes} bytes) wait for Elasticsearch")
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        now = asyncio.get_running_loop().time()
        order = _Order(done, [None] * len(operations), len(operations))
        self._queue.extend([_QueuedWrite(order, place, operation, now) for place, operation in enumerate(operations)])
        self._bytes += weight
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await done

    async def close(self) -> None:
        """Send the queued writes; accept no more."""
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        tries = 0
        batch: list[_QueuedWrite] = []
        try:
            while self._queue:
                batch = self._take()
                fate = await self._request(batch)
                batch = []
                self.trouble = fate.why
                if fate.again:
                    self._queue.extendleft(reversed(fate.again))
                    self._bytes += sum([waiting.operation.weight for waiting in fate.again])
                    await asyncio.sleep(min(pause(tries), LOST_PAUSE) if fate.lost else pause(tries))
                    tries += 1
                else:
                    tries = 0
        finally:
            self._task = None
            self._abandon(batch)

    def _take(self) -> list[_QueuedWrite]:
        batch: list[_QueuedWrite] = []
        weight = 0
        now = asyncio.get_running_loop().time()
        while self._queue and len(batch) < MAX_OPERATIONS:
            weight += self._queue[0].operation.weight
            if batch and weight > MAX_BYTES:
                break
            waiting = self._queue.popleft()
            self._bytes -= waiting.operation.weight
            if waiting.order.done.done() and waiting.since == 0.0:
                continue  # its caller was cancelled before it was sent
            if now > waiting.queued + LONGEST:
                waiting.settle(Unavailable("a write has waited too long"))
                continue
            waiting.since = waiting.since or now
            batch.append(waiting)
        return batch

    async def _request(self, batch: list[_QueuedWrite]) -> _Fate:
        if not batch:
            return _Fate()
        lines: list[bytes] = []
        for waiting in batch:
            lines.append(waiting.operation.line)
            if waiting.operation.source is not None:
                lines.append(waiting.operation.source)
        lines.append(b"")
        try:
            answer = await self._connection.attended("POST", _PATH, b"\n".join(lines), LINES)
            if not answer.good:
                cause = cause_of(answer)
                return _all(batch, str(cause), may_pass(answer.status, cause))
            items = _decode(answer.body).items
        except Silent as silent:
            self._fail_all(batch, str(silent))
            return _Fate(why=str(silent))
        except Lost as lost:
            fate = _all(batch, str(lost), True, lost=True)
            if len(fate.again) < len(batch):
                self._connection.give_up()
            return fate
        except ValueError as error:
            return _all(batch, f"Elasticsearch sent an answer that cannot be read: {error}", True)
        if len(items) != len(batch):
            return _all(batch, f"Elasticsearch answered {len(items)} of {len(batch)} writes", True)
        fate = _Fate()
        for waiting, item in zip(batch, items, strict=True):
            _judge(waiting, next(iter(item.values())), fate)
        return fate

    def _abandon(self, batch: list[_QueuedWrite]) -> None:
        """The task ends early, cancelled or by a bug: no caller may wait for ever."""
        self._fail_all(batch, "the store is closed")

    def _fail_all(self, batch: list[_QueuedWrite], why: str) -> None:
        """Fail a batch and all writes that wait behind it."""
        for waiting in (*batch, *self._queue):
            waiting.settle(Unavailable(why))
        self._queue.clear()
        self._bytes = 0


def _judge(waiting: _QueuedWrite, item: _Item, fate: _Fate) -> None:
    if item.status < 300:
        waiting.settle(Written(item.seq_no, item.term))
    elif item.status == 409 or (item.status == 404 and item.error is None):
        waiting.settle(None)
    else:
        cause = item.error or Cause(f"status {item.status}")
        bare = waiting.operation.bare() if item.status == 400 else None
        if bare is not None:
            waiting.operation = bare
            fate.again.append(waiting)
            return
        again = may_pass(item.status, cause)
        if again or cause.type == BLOCK:
            fate.why = str(cause)
        _again(waiting, str(cause), again, fate)


def _all(batch: list[_QueuedWrite], why: str, again: bool, *, lost: bool = False) -> _Fate:
    fate = _Fate(why=why, lost=lost)
    for waiting in batch:
        _again(waiting, why, again, fate)
    return fate


def _again(waiting: _QueuedWrite, why: str, again: bool, fate: _Fate) -> None:
    budget = min(BUDGET, LOST_BUDGET) if fate.lost else BUDGET
    if again and asyncio.get_running_loop().time() < waiting.since + budget:
        fate.again.append(waiting)
    else:
        waiting.settle(Unavailable(why, retry_after=1 if again else 10))
