"""The sender of one queue: a target, or one of its shards.

It works while this process holds the queue's lease, and stops within the validity of the lease when it does not. Once a
second it searches for what is due, less often while it knows of enough; what this process commits is offered to it at
once. Each delivery goes through these steps, in this order:

    reserve     its id, in this process: it is under way once
    read        its record: only now, for what a search found may have been sent meanwhile
    buried?     its person was forgotten: its record is erased
    blocked?    one of its predecessors (`after`) waits still: it is put off until after that one, ten minutes at most
    hold?       whether the lease is still held and the breaker still closed
    send        through the courier, under its id as the key
    write       the record, by compare-and-set at the version that was read

Sent first and written after: a process that dies between the two leaves it to be sent again, under the same key. A
holder that was paused between `hold?` and `send` may send what another process has sent; its write then fails, and
nothing is overwritten.

A predecessor without a record was not written yet, or was erased: the sender loads the profile, which makes the store
finish what a commit has left to write, and looks again. Only then it counts as ended.

While the breaker is open nothing is searched, sent, counted or written. Its state is left in the lease for a successor.
Attempts of `mode: test` go to another system, so they do not move the breaker. Records of ended deliveries are due when
they are to be deleted: the same search finds them.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from engine.ports.courier import Courier, DeliveryResult
from engine.ports.kinds import DELIVERIES
from engine.ports.lease import Lease
from engine.ports.outbox import StoredDelivery
from engine.ports.store import Store, Unavailable
from engine.ports.tombstone import is_forgotten
from engine.ports.world import Clock
from engine.project.target_limits import Rate
from engine.sending.breaker import Breaker, LeftBreaker
from engine.sending.changes import Keeping, after_attempt, put_off
from engine.sending.delivery_writes import DeliveryWrites
from engine.sending.due_search import PAGE, DueSearch
from engine.sending.offers import Offer, Offers
from engine.sending.rate import RateLimit

SEARCH_SECONDS: Final = 1.0
ENOUGH: Final = 100  # offers, beside which searches are rare: a page may have megabytes
BUSY_SEARCH_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 0.01  # for the process to answer the sender of an event first, then to send its deliveries
SOON_MS: Final = 1_000  # a delivery that was just committed is offered if it is due by then
LOOK_AGAIN_MS: Final = 1_000  # after which one is looked at again that waits for one in another queue
LONGEST_BLOCKED_MS: Final = 600_000  # after which one is looked at again: what it waits for may have been dropped

_decode_left = msgspec.json.Decoder(LeftBreaker).decode
_encode_left = msgspec.json.Encoder().encode


class QueueRules(Struct, frozen=True):
    """The settings of a queue: how many side by side, how fast, and how long deliveries are kept."""

    target: str
    concurrency: int = 32
    rate: Rate | None = None
    keeping: Keeping = Keeping()


class Reports(Struct, frozen=True):
    """Where a sender reports: a failure of the store, and that the breaker of a target has opened or closed."""

    store: Callable[[Unavailable], None]
    opened: Callable[[str, float, str], None]  # the target, for how many seconds, why
    closed: Callable[[str], None]


class Surroundings(Struct, frozen=True):
    """The ports that the senders of a process share."""

    store: Store
    courier: Courier
    clock: Clock
    writes: DeliveryWrites
    reports: Reports
    search: DueSearch


class QueueSender:
    """Sends the deliveries of one queue; the module describes how. `run` it as a task."""

    def __init__(self, queue: str, rules: QueueRules, lease: Lease, around: Surroundings) -> None:
        self.queue = queue
        self.rules = rules
        self.lease = lease
        self.breaker = Breaker(rules.concurrency)
        self._around = around
        self._store, self._clock, self._writes = around.store, around.clock, around.writes
        self._rate = RateLimit(rules.rate)
        self._offers = Offers()
        self._wake = asyncio.Event()
        self._called = False  # it is woken soon
        self._tasks: set[asyncio.Task[None]] = set()
        self._term: int | None = None  # in which this process holds the lease
        self._searched = float("-inf")  # ticks
        self._more = False  # whether the last search may have left some

    def offer(self, delivery: StoredDelivery) -> None:
        """Add a delivery that was just committed, if this process sends it and it is due, or will be soon."""
        if self.lease.held and delivery.due <= self._clock.now() + SOON_MS:
            self._offers.offer(delivery.id, delivery.due, delivery.version)
            if not self._called:
                self._called = True
                asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._call)

    def _call(self) -> None:
        self._called = False
        self._wake.set()

    async def run(self) -> None:
        """Send what is due, until the task is cancelled."""
        while True:
            self._wake.clear()
            try:
                pause = await self.turn()
            except Unavailable as unavailable:
                self._around.reports.store(unavailable)
                pause = SEARCH_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def turn(self) -> float:
        """Search if it is time, and begin to send what may be sent. Returns the seconds to wait. Raises `Unavailable`.

        It does not wait for the deliveries that it begins.
        """
        if not self._holds():
            return SEARCH_SECONDS
        now = self._clock.ticks()
        if self.breaker.is_open(now):
            self._leave()
            return min(SEARCH_SECONDS, self.breaker.opens_until - now)
        often = SEARCH_SECONDS if len(self._offers) < ENOUGH else BUSY_SEARCH_SECONDS
        if now >= self._searched + often or (self._more and not self._offers):
            self._searched = now
            await self._search()
        pause = self._begin()
        self._leave()
        return pause

    async def drained(self, seconds: float) -> None:
        """Begin nothing more; wait until what is under way has ended, for so many seconds at most, and break it off."""
        self._offers.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ---- searching --------------------------------------------------------------------------------------------------

    def _holds(self) -> bool:
        """Return whether this process may send. A new term begins with the breaker that its predecessor left."""
        if not self.lease.held:
            if self._term is not None:
                self._offers.clear()
                self._term = None
            return False
        if self._term != self.lease.term:
            self._term = self.lease.term
            self.breaker.follow(_left(self.lease.inherited), self._clock.ticks())
        return True

    def _leave(self) -> None:
        self.lease.leaving = _encode_left(self.breaker.left(self._clock.ticks())).decode()

    async def _search(self) -> None:
        """Offer what is due, and delete the records of those that ended long ago."""
        found = await self._around.search.due(self.queue)
        self._more = len(found) == PAGE
        for each in found:
            if each.state == "waiting":
                self._offers.offer(each.id, each.due, each.version)
        old = [self._writes.delete(each) for each in found if each.state != "waiting"]
        if old:
            await asyncio.gather(*old)

    def _begin(self) -> float:
        """Begin to send as many as limits allow. Returns the seconds until more may begin."""
        while self._offers.ripe(self._clock.now()):
            now = self._clock.ticks()
            if not self.lease.held or not self.breaker.may_begin(now):
                break
            if pause := self._rate.pause(now):
                return min(pause, SEARCH_SECONDS)
            self.breaker.begin()
            self._rate.begin(now)
            task = asyncio.create_task(self._deliver(self._offers.take(), now))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._more and not self._offers:
            return 0.05
        return min(self._offers.pause_ms(self._clock.now()) / 1000 or SEARCH_SECONDS, SEARCH_SECONDS)

    # ---- one delivery -----------------------------------------------------------------------------------------------

    async def _deliver(self, offer: Offer, began: float) -> None:
        """Take one delivery through its steps. Whatever happens, its slot and its id are free afterwards."""
        result: DeliveryResult | None = None
        kept = False
        try:
            delivery = await self._store.record(DELIVERIES, offer.id)
            if delivery is None or not self._is_ripe(delivery) or await self._erased(delivery):
                return
            blocker = await self._blocker(delivery)
            if blocker is not None:
                kept = self._offers.is_reserved(blocker.id)
                if kept:
                    self._offers.keep_behind(blocker.id, offer)
                    return
                now = self._clock.now()
                due = min(max(blocker.due + 1, now + LOOK_AGAIN_MS), now + LONGEST_BLOCKED_MS)
                await self._change(put_off(delivery, due))
                return
            if not self.lease.held or self.breaker.is_open(self._clock.ticks()):
                return
            result = await self._around.courier.send(delivery)
            self._count(delivery, result)
            await self._change(after_attempt(delivery, result, self._clock.now(), self.rules.keeping))
        except Unavailable as unavailable:
            self._around.reports.store(unavailable)
        finally:
            if result is None:
                self.breaker.abandoned()
                self._rate.take_back(began)
            if not kept:
                self._offers.release(offer.id)
            self._wake.set()

    def _is_ripe(self, delivery: StoredDelivery) -> bool:
        return delivery.state == "waiting" and delivery.queue == self.queue and delivery.due <= self._clock.now()

    async def _erased(self, delivery: StoredDelivery) -> bool:
        """Erase a delivery whose person was forgotten: it was committed while the forgetting was under way."""
        for id in {delivery.profile, *delivery.other_profiles} - {None}:
            if id is not None and await is_forgotten(self._store, await self._store.secret(), id):
                await self._writes.delete(delivery)
                return True
        return False

    async def _blocker(self, delivery: StoredDelivery) -> StoredDelivery | None:
        """Return a predecessor that has not ended, if there is one."""
        for id in delivery.after:
            before = await self._store.record(DELIVERIES, id)
            if before is None and delivery.profile is not None:
                await self._store.profile(delivery.profile)  # finishes what a commit has left to write
                before = await self._store.record(DELIVERIES, id)
            if before is not None and before.state == "waiting":
                return before
        return None

    def _count(self, delivery: StoredDelivery, result: DeliveryResult) -> None:
        """Tell the breaker the result of an attempt, and report if it opens or closes."""
        now, troubled = self._clock.ticks(), self.breaker.troubled
        was_open = self.breaker.is_open(now)
        if delivery.mode == "test" or result.health == "unknown":
            self.breaker.abandoned()
        elif result.health == "works":
            self.breaker.succeeded(now)
        else:
            self.breaker.failed(now, at_once=result.health == "refuses")
        if self.breaker.is_open(now) and not was_open:
            # what a target answers may name people, and a log is not erased with them
            why = result.reason if result.status is None else f"it answered {result.status}"
            self._around.reports.opened(self.rules.target, self.breaker.opens_until - now, why)
        elif troubled and not self.breaker.troubled:
            self._around.reports.closed(self.rules.target)

    async def _change(self, delivery: StoredDelivery) -> None:
        """Write a delivery over the version that was read; if another change came first, that one stands."""
        self._offers.remember(delivery.id, delivery.version)
        await self._writes.write(delivery)


def _left(text: str) -> LeftBreaker:
    """Return the breaker that a predecessor left; a closed one if it left none that can be read."""
    try:
        return _decode_left(text) if text else LeftBreaker()
    except msgspec.DecodeError:
        return LeftBreaker()
