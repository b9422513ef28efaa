"""Lines: units of one profile take turns, each starts where the last one ended, and those that wait share a commit.

A unit runs while it has the *turn*. Then it *boards*: if nothing of its line is on the way to the store, it is written
at once; else it waits, and is written in one commit with all that board meanwhile. The next unit runs on what is
*ahead*, not yet committed; it is acknowledged only when it is committed itself. If a commit fails, all that rested on
it fails with it. Other processes are kept apart by compare-and-set, not by this.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field

from engine.ports.records import ProcessedEvent, Session, Unit
from engine.ports.store import Conflict, Store, Unavailable
from engine.tracking.unit.cache import CachedProfile, ProfileCache
from engine.tracking.unit.combine import combine_units
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.ledger import Counted, Ledger

MAX_TOGETHER = 100  # units in one commit of a line


@dataclass(slots=True)
class UncommittedState:
    """What a line has come to, committed or not: the next unit starts from here."""

    known: CachedProfile
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    marks: dict[tuple[str, str], ProcessedEvent] = field(default_factory=dict)

    def advance(self, composed: Composed) -> None:
        """Go on by one unit."""
        if composed.session is not None and composed.unit.sessions:
            self.sessions[composed.session.source, composed.session.id] = composed.session
        for mark in composed.unit.marks:
            self.marks[mark.source, mark.event] = mark

    def drop(self, session: Session | None, marks: Sequence[ProcessedEvent]) -> None:
        """What a unit brought has been committed: it is in the store, and need not be kept for as long as the line."""
        if session is not None and self.sessions.get((session.source, session.id)) is session:
            del self.sessions[session.source, session.id]
        for mark in marks:
            if self.marks.get((mark.source, mark.event)) is mark:
                del self.marks[mark.source, mark.event]


@dataclass(slots=True)
class PendingCommit:
    """A unit on its way in a line, and what this process will remember and count of it when it has landed."""

    line: "ProfileQueue"
    unit: Unit | None = None  # what is still to be handed to the store
    session: Session | None = None
    known: CachedProfile | None = None
    acting: str | None = None
    marks: Sequence[ProcessedEvent] = ()
    counted: Counted = Counted()
    committed: "asyncio.Future[None] | None" = None  # None for one that is written by its own caller, at once

    def resolve(self, failure: BaseException | None) -> None:
        """Let whoever waits for this unit go on."""
        if self.committed is None or self.committed.done():  # nobody waits any more: it was cancelled
            return
        if failure is None:
            self.committed.set_result(None)
        else:
            self.committed.set_exception(failure)


@dataclass(slots=True)
class ProfileQueue:
    """The units of one profile that are under way in this process."""

    id: str
    taken: bool = False  # somebody has the turn
    waiters: "deque[asyncio.Future[None]] | None" = None  # those who wait for it, once anybody has
    uncommitted: UncommittedState | None = None
    enqueued: list[PendingCommit] = field(default_factory=list)
    committing: bool = False
    broken: bool = False  # what the unit that has the turn rests on was not committed

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self.taken or self.committing)


class ProfileQueues:
    """The lines of a process, by profile id."""

    def __init__(self, store: Store, known: ProfileCache, ledger: Ledger) -> None:
        self._store = store
        self._known = known
        self._ledger = ledger
        self._queues: dict[str, ProfileQueue] = {}
        self._flushes: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> Iterable[ProfileQueue]:
        """The lines in which anything is."""
        return self._queues.values()

    # ---- the turn ---------------------------------------------------------------------------------------------------

    async def acquire(self, id: str) -> tuple[ProfileQueue, bool]:
        """Wait for the turn of `id`; gives its line, and whether what was read before may be old by now."""
        line = self._queues.get(id)
        if line is None:
            line = self._queues[id] = ProfileQueue(id, taken=True)
            return line, False
        if not line.taken:
            line.taken, line.broken = True, False
            return line, True
        mine = asyncio.get_running_loop().create_future()
        line.waiters = waiters = deque() if line.waiters is None else line.waiters
        waiters.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.release(line)  # the turn came in the same moment: pass it on
            elif mine in waiters:  # `give` passes over those that are done
                waiters.remove(mine)
            raise
        return line, True

    def release(self, line: ProfileQueue) -> None:
        """Let the next one have the turn."""
        line.broken = False
        while line.waiters:
            next_one = line.waiters.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        line.taken = False
        self._drop(line)

    # ---- the way to the store ---------------------------------------------------------------------------------------

    def enqueue(self, line: ProfileQueue, composed: Composed, acting: str | None, counted: Counted) -> PendingCommit:
        """Put a unit on its way, as one that has the turn. Raises `Conflict` if what it rests on was not committed."""
        if line.broken:
            raise Conflict("profile", line.id)
        known = composed.known
        if known is not None:
            if line.uncommitted is None:
                line.uncommitted = UncommittedState(known)
            line.uncommitted.known = known
            line.uncommitted.advance(composed)
        unit = composed.unit
        place = PendingCommit(line, unit, composed.session, known, acting, unit.marks, counted)
        if line.committing:
            place.committed = asyncio.get_running_loop().create_future()
            line.enqueued.append(place)
        else:
            line.committing = True
        return place

    async def wait_committed(self, place: PendingCommit) -> None:
        """Wait, once, until a unit that has boarded is on disk. Raises `Conflict` and `Unavailable`."""
        line = place.line
        if place.committed is not None:
            await place.committed
            return
        try:
            await self._commit([place])
        except BaseException as failure:
            self._fail_all(line, failure)
            raise
        self._on_committed(line, [place])
        if line.enqueued:
            flight = asyncio.create_task(self._flush(line))
            self._flushes.add(flight)
            flight.add_done_callback(self._flushes.discard)

    async def drained(self, line: ProfileQueue) -> None:
        """Wait, as one that has the turn, until nothing of the line is under way. Raises what its commits raise."""
        if line.broken:
            raise Conflict("profile", line.id)
        if line.committing:
            place = PendingCommit(line, committed=asyncio.get_running_loop().create_future())
            line.enqueued.append(place)
            await self.wait_committed(place)

    async def _flush(self, line: ProfileQueue) -> None:
        """Commit what has boarded, until nothing more has."""
        while line.enqueued:
            places, line.enqueued = line.enqueued[:MAX_TOGETHER], line.enqueued[MAX_TOGETHER:]
            try:
                await self._commit(places)
            except BaseException as failure:
                self._fail_all(line, failure, places)
                if isinstance(failure, Conflict | Unavailable):
                    return
                raise
            self._on_committed(line, places)

    def _commit(self, places: list[PendingCommit]) -> Awaitable[None]:
        """Hand what these write to the store, and let go of it: of many that wait, little is to be held."""
        units = [place.unit for place in places if place.unit is not None]
        for place in places:
            place.unit = None
        return self._store.commit(combine_units(units)) if units else asyncio.sleep(0)

    def _on_committed(self, line: ProfileQueue, places: list[PendingCommit]) -> None:
        for place in places:
            self._known.update(place.session, place.known, place.acting)
            self._ledger.count(place.counted)
            if line.uncommitted is not None:
                line.uncommitted.drop(place.session, place.marks)
            place.resolve(None)
        if not line.enqueued:
            line.committing, line.uncommitted = False, None
            self._drop(line)

    def _fail_all(self, line: ProfileQueue, failure: BaseException, places: list[PendingCommit] | None = None) -> None:
        """A commit has failed: so has all that rests on it."""
        fallen = [*(places or []), *line.enqueued]
        line.enqueued, line.committing, line.uncommitted, line.broken = [], False, None, True
        self._known.forget(None, {line.id})
        told = failure if isinstance(failure, Conflict | Unavailable) else Conflict("profile", line.id)
        for place in fallen:
            place.resolve(told)
        self._drop(line)

    def _drop(self, line: ProfileQueue) -> None:
        if line.idle and self._queues.get(line.id) is line:
            del self._queues[line.id]
