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

from engine.ports.records import Mark, Session, Unit
from engine.ports.store import Conflict, Store, Unavailable
from engine.tracking.unit.cache import Known, KnownProfile
from engine.tracking.unit.combine import joined
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.ledger import Counted, Ledger

MOST_TOGETHER = 100  # units in one commit of a line


@dataclass(slots=True)
class Ahead:
    """What a line has come to, committed or not: the next unit starts from here."""

    known: KnownProfile
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)

    def take(self, composed: Composed) -> None:
        """Go on by one unit."""
        if composed.session is not None and composed.unit.sessions:
            self.sessions[composed.session.source, composed.session.id] = composed.session
        for mark in composed.unit.marks:
            self.marks[mark.source, mark.event] = mark

    def drop(self, session: Session | None, marks: Sequence[Mark]) -> None:
        """What a unit brought has been committed: it is in the store, and need not be kept for as long as the line."""
        if session is not None and self.sessions.get((session.source, session.id)) is session:
            del self.sessions[session.source, session.id]
        for mark in marks:
            if self.marks.get((mark.source, mark.event)) is mark:
                del self.marks[mark.source, mark.event]


@dataclass(slots=True)
class Place:
    """A unit on its way in a line, and what this process will remember and count of it when it has landed."""

    line: "Line"
    unit: Unit | None = None  # what is still to be handed to the store
    session: Session | None = None
    known: KnownProfile | None = None
    acting: str | None = None
    marks: Sequence[Mark] = ()
    counted: Counted = Counted()
    landed: "asyncio.Future[None] | None" = None  # None for one that is written by its own caller, at once

    def tell(self, failure: BaseException | None) -> None:
        """Let whoever waits for this unit go on."""
        if self.landed is None or self.landed.done():  # nobody waits any more: it was cancelled
            return
        if failure is None:
            self.landed.set_result(None)
        else:
            self.landed.set_exception(failure)


@dataclass(slots=True)
class Line:
    """The units of one profile that are under way in this process."""

    id: str
    taken: bool = False  # somebody has the turn
    waiters: "deque[asyncio.Future[None]] | None" = None  # those who wait for it, once anybody has
    ahead: Ahead | None = None
    boarded: list[Place] = field(default_factory=list)
    flying: bool = False
    broken: bool = False  # what the unit that has the turn rests on was not committed

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self.taken or self.flying)


class Lines:
    """The lines of a process, by profile id."""

    def __init__(self, store: Store, known: Known, ledger: Ledger) -> None:
        self._store = store
        self._known = known
        self._ledger = ledger
        self._lines: dict[str, Line] = {}
        self._flights: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> Iterable[Line]:
        """The lines in which anything is."""
        return self._lines.values()

    # ---- the turn ---------------------------------------------------------------------------------------------------

    async def take(self, id: str) -> tuple[Line, bool]:
        """Wait for the turn of `id`; gives its line, and whether what was read before may be old by now."""
        line = self._lines.get(id)
        if line is None:
            line = self._lines[id] = Line(id, taken=True)
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
                self.give(line)  # the turn came in the same moment: pass it on
            elif mine in waiters:  # `give` passes over those that are done
                waiters.remove(mine)
            raise
        return line, True

    def give(self, line: Line) -> None:
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

    def board(self, line: Line, composed: Composed, acting: str | None, counted: Counted) -> Place:
        """Put a unit on its way, as one that has the turn. Raises `Conflict` if what it rests on was not committed."""
        if line.broken:
            raise Conflict("profile", line.id)
        known = composed.known
        if known is not None:
            if line.ahead is None:
                line.ahead = Ahead(known)
            line.ahead.known = known
            line.ahead.take(composed)
        unit = composed.unit
        place = Place(line, unit, composed.session, known, acting, unit.marks, counted)
        if line.flying:
            place.landed = asyncio.get_running_loop().create_future()
            line.boarded.append(place)
        else:
            line.flying = True
        return place

    async def landed(self, place: Place) -> None:
        """Wait, once, until a unit that has boarded is on disk. Raises `Conflict` and `Unavailable`."""
        line = place.line
        if place.landed is not None:
            await place.landed
            return
        try:
            await self._written([place])
        except BaseException as failure:
            self._fall(line, failure)
            raise
        self._arrive(line, [place])
        if line.boarded:
            flight = asyncio.create_task(self._fly(line))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)

    async def settled(self, line: Line) -> None:
        """Wait, as one that has the turn, until nothing of the line is under way. Raises what its commits raise."""
        if line.broken:
            raise Conflict("profile", line.id)
        if line.flying:
            place = Place(line, landed=asyncio.get_running_loop().create_future())
            line.boarded.append(place)
            await self.landed(place)

    async def _fly(self, line: Line) -> None:
        """Commit what has boarded, until nothing more has."""
        while line.boarded:
            places, line.boarded = line.boarded[:MOST_TOGETHER], line.boarded[MOST_TOGETHER:]
            try:
                await self._written(places)
            except BaseException as failure:
                self._fall(line, failure, places)
                if isinstance(failure, Conflict | Unavailable):
                    return
                raise
            self._arrive(line, places)

    def _written(self, places: list[Place]) -> Awaitable[None]:
        """Hand what these write to the store, and let go of it: of many that wait, little is to be held."""
        units = [place.unit for place in places if place.unit is not None]
        for place in places:
            place.unit = None
        return self._store.commit(joined(units)) if units else asyncio.sleep(0)

    def _arrive(self, line: Line, places: list[Place]) -> None:
        for place in places:
            self._known.learn(place.session, place.known, place.acting)
            self._ledger.count(place.counted)
            if line.ahead is not None:
                line.ahead.drop(place.session, place.marks)
            place.tell(None)
        if not line.boarded:
            line.flying, line.ahead = False, None
            self._drop(line)

    def _fall(self, line: Line, failure: BaseException, places: list[Place] | None = None) -> None:
        """A commit has failed: so has all that rests on it."""
        fallen = [*(places or []), *line.boarded]
        line.boarded, line.flying, line.ahead, line.broken = [], False, None, True
        self._known.forget(None, {line.id})
        told = failure if isinstance(failure, Conflict | Unavailable) else Conflict("profile", line.id)
        for place in fallen:
            place.tell(told)
        self._drop(line)

    def _drop(self, line: Line) -> None:
        if line.idle and self._lines.get(line.id) is line:
            del self._lines[line.id]
