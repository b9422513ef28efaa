"""Profile queues: units of one profile take turns, each starts where the one before ended, and they share commits.

Without a queue, two units of one profile that come together would start from the same version, and all but one of them
would conflict and run again. So each profile with a unit under way has a `ProfileQueue` in this process. Correctness
does not rest on it: other processes write the same profiles, and every commit compares versions. The queue only saves
the conflicts within a process, and lets units that wait share one commit.

States
------
A queue is a lock (`taken`), a list of units that have run and wait to be committed (`enqueued`), and at most one commit
under way (`committing`).

    free          nothing is under way: the queue is dropped, and made again for the next unit
    taken         one unit, the holder, runs; further ones wait for the lock in the order in which they came
    committing    a commit is under way; the lock may be free or taken meanwhile
    broken        a commit failed while the lock was taken: what the holder started from will never be stored

A unit moves through four steps:

    exclusive()       it takes the lock. `stale` says whether another unit has held this queue before, so that
                      whatever was loaded before may be outdated.
    (it runs)         on `uncommitted`: the newest profile, sessions and processed events of units that have run
                      before it and may not be stored yet.
    enqueue()         its documents become the new `uncommitted`. If nothing is being committed, the unit's own caller
                      commits it; otherwise it waits in `enqueued`. The lock is free from here on.
    wait_committed()  returns once the unit is stored. Only then may its sender be answered.

When a commit ends, all that is enqueued by then (at most `MAX_TOGETHER` units) is joined and written as the next one.

Invariants
----------
* Only the holder of the lock reads or changes `uncommitted` and enqueues.
* At most one commit of a queue is under way, and they are made in the order in which their units ran.
* No unit is acknowledged before everything that it started from is stored: it is stored with or after it.
* `uncommitted` is None whenever nothing is enqueued or being committed: the store and the cache are as new.

Failures
--------
* A commit conflicts, or the store is unavailable: all units that are enqueued rest on it, so all fail with the same
  error, and the profile's cached copy is dropped. A holder that is just running finds its queue `broken`, and gets
  `Conflict` from `enqueue` or `drained`. After a conflict, callers run their units again.
* The store refuses the units of one commit as too large: they are committed one by one. If one of them is too large
  alone, it fails with `TooLarge`; those behind it rest on it, so they get `Conflict` and run again without it.
* A caller is cancelled while it waits for the lock: it leaves; if it had just got the lock, the next one gets it.
* A caller is cancelled while its unit is enqueued: the unit is committed all the same, and counted.
* The caller that commits is cancelled: its unit may have been stored or not. The units behind it get `Conflict`,
  and find out when they run again.
* A commit gets no answer, for whatever reason: `LateCounting` counts its units if the store has them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from engine.ports.records import Changes, ProcessedEvent, Session, Unit
from engine.ports.settle import settle
from engine.ports.store import Commits, Conflict, Overloaded, TooLarge, Unavailable
from engine.tracking.pipeline.late_counting import LateCounting
from engine.tracking.unit.cache import CachedProfile, ProfileCache
from engine.tracking.unit.combine import combine_units
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.families import COMMITS_FAILED, OTHER
from engine.tracking.unit.ledger import Counted, Ledger
from engine.tracking.unit.request import UnitRequest

MAX_TOGETHER = 100  # units in one commit of a queue


@dataclass(slots=True)
class UncommittedState:
    """The documents that a queue's units have come to, stored or not: the next unit starts from here."""

    cached: CachedProfile
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    marks: dict[tuple[str, str], ProcessedEvent] = field(default_factory=dict)

    def advance(self, composed: Composed) -> None:
        """Add the session and the processed events of one more unit."""
        if composed.session is not None and composed.unit.sessions:
            self.sessions[composed.session.source, composed.session.id] = composed.session
        for mark in composed.unit.marks:
            self.marks[mark.source, mark.event] = mark

    def drop(self, session: Session | None, marks: Sequence[ProcessedEvent]) -> None:
        """Drop what one unit added, since it is stored by now: a busy queue must not grow for as long as it is busy."""
        if session is not None and self.sessions.get((session.source, session.id)) is session:
            del self.sessions[session.source, session.id]
        for mark in marks:
            if self.marks.get((mark.source, mark.event)) is mark:
                del self.marks[mark.source, mark.event]


@dataclass(slots=True)
class PendingCommit:
    """A unit that is enqueued, with what this process caches and counts once it is stored."""

    queue: "ProfileQueue"
    unit: Unit | None = None  # None once it has been handed to the store, and for one that writes nothing
    session: Session | None = None
    cached: CachedProfile | None = None
    acting_id: str | None = None
    marks: Sequence[ProcessedEvent] = ()
    counted: Counted = Counted()
    request: UnitRequest | None = None  # None for one that counts no event
    changes: Changes = ()
    committed: "asyncio.Future[None] | None" = None  # None for a unit that its own caller commits

    def resolve(self, failure: BaseException | None) -> None:
        """Let the caller that waits for this unit go on."""
        if self.committed is not None:
            settle(self.committed, None, failure)


class ProfileQueue:
    """The units of one profile that are under way in this process, and their lock: see `ProfileQueues.exclusive`."""

    __slots__ = ("_queues", "_waiters", "broken", "committing", "enqueued", "id", "stale", "taken", "uncommitted")

    def __init__(self, id: str, queues: "ProfileQueues") -> None:
        self.id = id
        self.taken = False
        self.stale = False  # a unit has held this queue before
        self.broken = False  # the documents that the holder started from were not stored
        self.committing = False
        self.uncommitted: UncommittedState | None = None
        self.enqueued: list[PendingCommit] = []
        self._waiters: deque[asyncio.Future[None]] | None = None  # made for the first one that has to wait
        self._queues = queues

    # ---- the lock ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Wait for the lock."""
        if not self.taken:
            self.taken, self.broken = True, False
            return self
        mine = self._queues.waiter()
        self._waiters = waiters = deque() if self._waiters is None else self._waiters
        waiters.append(mine)
        self._queues.lock_waiters += 1
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._release()  # the lock came in the same moment: pass it on
            elif mine in waiters:  # `_release` skips those that are done
                waiters.remove(mine)
            raise
        finally:
            self._queues.lock_waiters -= 1
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Pass the lock on."""
        self._release()

    def _release(self) -> None:
        self.stale, self.broken = True, False
        while self._waiters:
            next_one = self._waiters.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self.taken = False
        if not self.committing:
            self._queues.drop(self)

    # ---- for the holder of the lock ---------------------------------------------------------------------------------

    def enqueue(
        self, composed: Composed, acting_id: str | None, counted: Counted, request: UnitRequest | None = None
    ) -> PendingCommit:
        """Enqueue the holder's unit. Raises `Conflict` if the documents that it started from were not stored."""
        if self.broken:
            raise Conflict("profile", self.id)
        unit, known = composed.unit, composed.cached
        if known is not None:
            if self.uncommitted is None:
                self.uncommitted = UncommittedState(known)
            self.uncommitted.cached = known
            self.uncommitted.advance(composed)
        pending = PendingCommit(
            self, unit, composed.session, known, acting_id, unit.marks, counted, request, unit.changes
        )
        if self.committing:
            pending.committed = self._queues.waiter()
            self.enqueued.append(pending)
        else:
            self.committing = True
        return pending

    async def drained(self) -> None:
        """Wait, as the holder, until all that was enqueued is stored. Raises whatever its commits raise."""
        if self.broken:
            raise Conflict("profile", self.id)
        if self.committing:
            pending = PendingCommit(self, committed=self._queues.waiter())
            self.enqueued.append(pending)
            await self.wait_committed(pending)

    # ---- commits ----------------------------------------------------------------------------------------------------

    async def wait_committed(self, pending: PendingCommit) -> None:
        """Wait until an enqueued unit is stored; call it once for each. Raises `Conflict` and `Unavailable`."""
        if pending.committed is not None:
            await pending.committed
            return
        queues = self._queues
        began = queues.ticks()
        try:
            await self._commit([pending])
        except BaseException as failure:
            queues.count_failure(failure)
            self._count_late([pending], failure)
            self._fail_all(failure)
            raise
        queues.commits.observe(queues.ticks() - began)
        self._on_committed([pending])
        if self.enqueued:
            self._queues.start(self._flush())

    async def _flush(self) -> None:
        """Commit what is enqueued, until nothing more is; units that are too large together, one by one."""
        one_by_one = 0  # so many units are committed alone
        while self.enqueued:
            count = 1 if one_by_one else MAX_TOGETHER
            one_by_one = max(one_by_one - 1, 0)
            together, self.enqueued = self.enqueued[:count], self.enqueued[count:]
            units = [pending.unit for pending in together] if len(together) > 1 else []
            began = self._queues.ticks()
            try:
                await self._commit(together)
            except BaseException as failure:
                self._queues.count_failure(failure)
                if units and isinstance(failure, TooLarge):
                    one_by_one = len(units)
                    self._put_back(together, units)
                    continue
                self._count_late(together, failure)
                self._fail_all(failure, together)
                if isinstance(failure, Conflict | Unavailable):
                    return
                raise
            self._queues.commits.observe(self._queues.ticks() - began)
            self._on_committed(together)

    def _put_back(self, together: list[PendingCommit], units: list[Unit | None]) -> None:
        """Enqueue units again, in front of all others."""
        for pending, unit in zip(together, units, strict=True):
            pending.unit = unit
        self.enqueued = [*together, *self.enqueued]

    def _commit(self, together: list[PendingCommit]) -> Awaitable[None]:
        """Hand the units to the store and drop the references to them: thousands of callers may wait here."""
        units = [pending.unit for pending in together if pending.unit is not None]
        for pending in together:
            pending.unit = None
        if not units:
            return asyncio.sleep(0)
        return self._queues.store.commit(units[0] if len(units) == 1 else combine_units(units))

    def _on_committed(self, together: list[PendingCommit]) -> None:
        for pending in together:
            self._queues.cache.update(pending.session, pending.cached, pending.acting_id)
            self._queues.ledger.count(pending.counted)
            if pending.changes and self._queues.committed is not None:
                self._queues.committed(pending.changes)
            if self.uncommitted is not None:
                self.uncommitted.drop(pending.session, pending.marks)
            pending.resolve(None)
        if not self.enqueued:
            self.committing, self.uncommitted = False, None
            if not self.taken:
                self._queues.drop(self)

    def _count_late(self, together: list[PendingCommit], failure: BaseException) -> None:
        late = self._queues.late
        for pending in together:
            if late is not None and pending.request is not None:
                late.add(pending.request, pending.counted, failure)

    def _fail_all(self, failure: BaseException, together: Sequence[PendingCommit] = ()) -> None:
        """Fail everything that rests on a commit which has failed."""
        behind = self.enqueued
        self.enqueued, self.committing, self.uncommitted, self.broken = [], False, None, True
        self._queues.cache.forget(None, {self.id})
        error = failure if isinstance(failure, Conflict | Unavailable) else Conflict("profile", self.id)
        for pending in together:
            pending.resolve(error)
        if isinstance(failure, TooLarge):  # the units behind it may fit: they run again, on what is stored
            error = Conflict("profile", self.id)
        for pending in behind:
            pending.resolve(error)
        if not self.taken:
            self._queues.drop(self)


def failure_name(failure: BaseException) -> str:
    """Return the label of a commit that failed."""
    match failure:
        case Conflict():
            return "conflict"
        case Overloaded():
            return "overloaded"
        case TooLarge():
            return "too-large"
        case Unavailable():
            return "unavailable"
        case _:
            return OTHER


class ProfileQueues:
    """The queues of this process, by profile id."""

    def __init__(self, store: Commits, cache: ProfileCache, ledger: Ledger, late: LateCounting | None = None) -> None:
        self.store = store
        self.cache = cache
        self.ledger = ledger
        self.late = late
        self.committed: Callable[[Changes], None] | None = None  # called with changes of records that are stored now
        self.ticks: Callable[[], float] = lambda: 0.0  # of a clock, in seconds
        self.commits = ledger.meter.commits
        self.lock_waiters = 0  # units that wait for the lock of their profile
        self._queues: dict[str, ProfileQueue] = {}
        self._flushes: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> Iterable[ProfileQueue]:
        """The queues in which anything is under way."""
        return self._queues.values()

    def exclusive(self, id: str) -> ProfileQueue:
        """The lock of a profile: `async with queues.exclusive(id) as queue`, and nothing else may be done with it."""
        queue = self._queues.get(id)
        if queue is None:
            queue = self._queues[id] = ProfileQueue(id, self)
        return queue

    @asynccontextmanager
    async def rewriting(self, id: str) -> AsyncIterator[set[str]]:
        """Hold the lock of a profile with nothing under way, for a caller that writes its documents by itself.

        Yields a set, to which the caller adds the ids whose documents it touches: their cached copies are dropped at
        the end. Raises whatever a commit that was under way raises.
        """
        touched = {id}
        async with self.exclusive(id) as queue:
            try:
                await queue.drained()
                yield touched
            finally:
                self.cache.forget(None, touched)

    def count_failure(self, failure: BaseException) -> None:
        """Count a commit that the store has not made."""
        self.ledger.meter.cell(COMMITS_FAILED, failure_name(failure)).add()

    def waiter(self) -> "asyncio.Future[None]":
        """Return a future for a caller that has to wait: for a lock, or for a commit that it does not make itself."""
        return asyncio.get_running_loop().create_future()

    def drop(self, queue: ProfileQueue) -> None:
        """Forget a queue in which nothing is under way."""
        if self._queues.get(queue.id) is queue:
            del self._queues[queue.id]

    def start(self, flush: Coroutine[Any, Any, None]) -> None:
        """Commit in the background."""
        task = asyncio.create_task(flush)
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)
