"""The waits of a unit's profile: those that its runs begin and end, and those for which an event has arrived. Pure.

A wait is *open* from the commit of the unit that begins it to the commit of the unit that ends it. It is *ripe* once
its time has come or an event has arrived; until then it is *pending*. Only the unit that resumes its run ends a ripe
one. Changes are kept here, apart from the profile, since a merge in the unit replaces that by another document.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, structs

from engine.flow.plan import Flow, glob
from engine.ports.kinds import ARRIVALS, WAITS
from engine.ports.records import Changes, RecordDelete, RecordWrite
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.profile.document import Profile, WaitStub
from engine.tracking.unit.event import UnitEvent

MAX_WAITS: Final = 32  # open ones of a profile
MAX_RUN: Final = 262_144  # bytes of a run as a value


class StoredWait(Struct, frozen=True):
    """The record of a waiting run, and its flow; without one, `reason` says why the run cannot go on."""

    record: WaitingRun
    flow: Flow | None
    reason: str = ""


class BegunWait(Struct, frozen=True):
    """A wait that the unit has begun; `event` is the key of the event in whose flows it did."""

    stub: WaitStub
    stored: StoredWait
    event: str


class _Ended(Struct, frozen=True):
    """The records of a wait that has ended, as far as they are stored."""

    record: bool
    arrival: bool


class UnitWaits:
    """The changes of one unit. `now` (ms) is the unit's time; `open` applies them to the waits of a profile."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.begun: dict[str, BegunWait] = {}
        self.arrived: dict[str, Arrival] = {}
        self._ended: dict[str, _Ended] = {}
        self._postponed: dict[str, int] = {}

    def open(self, profile: Profile) -> tuple[WaitStub, ...]:
        """Return the open waits of a profile, in the order of `(began, run)`."""
        waits = [*profile.waits, *[begun.stub for begun in self.begun.values()]]
        return tuple(sorted(map(self._as_now, filter(self._is_open, waits)), key=lambda stub: (stub.began, stub.run)))

    def is_ripe(self, stub: WaitStub) -> bool:
        """Whether a wait goes on now."""
        return stub.arrived or stub.due <= self.now

    def pending(self, profile: Profile, flow: str) -> list[WaitStub]:
        """Return the open waits of a flow that are not ripe."""
        return [stub for stub in self.open(profile) if stub.flow == flow and not self.is_ripe(stub)]

    def listening(self, profile: Profile, event: UnitEvent) -> list[WaitStub]:
        """Return the pending waits whose patterns an event fits, but for those that the event's own runs have begun."""
        return [
            stub
            for stub in self.open(profile)
            if not self.is_ripe(stub) and any(fits(stub.on, event).values()) and not self._begun_by(stub, event)
        ]

    # ---- changes ----------------------------------------------------------------------------------------------------

    def begin(self, begun: BegunWait) -> None:
        """Begin a wait."""
        self.begun[begun.stub.id] = begun

    def end(self, stub: WaitStub, *, record: bool, arrival: bool = False) -> None:
        """End a wait; the flags say which of its records are stored."""
        self._ended[stub.id] = _Ended(record, arrival)

    def arrive(self, stub: WaitStub, arrival: Arrival) -> None:
        """Let an event arrive for a wait that is pending."""
        self.arrived[stub.id] = arrival

    def postpone(self, stub: WaitStub, due: int) -> None:
        """Let a ripe wait go on later, at `due` (ms)."""
        self._postponed[stub.id] = due

    def changes(self) -> Changes:
        """Return the changes of records that belong to the unit."""
        began = [RecordWrite(WAITS, each.stored.record, 0) for id, each in self.begun.items() if id not in self._ended]
        arrived = [RecordWrite(ARRIVALS, arrival, 0) for arrival in self.arrived.values()]
        gone = [
            *[RecordDelete(WAITS, id, 1) for id, end in self._ended.items() if end.record and id not in self.begun],
            *[RecordDelete(ARRIVALS, arrival_id(id), 1) for id, end in self._ended.items() if end.arrival],
        ]
        return (*began, *arrived, *gone)

    def _is_open(self, stub: WaitStub) -> bool:
        return stub.id not in self._ended

    def _as_now(self, stub: WaitStub) -> WaitStub:
        if stub.id in self.arrived:
            return structs.replace(stub, arrived=True, due=self.now)
        due = self._postponed.get(stub.id)
        return stub if due is None else structs.replace(stub, due=due)

    def _begun_by(self, stub: WaitStub, event: UnitEvent) -> bool:
        begun = self.begun.get(stub.id)
        return begun is not None and begun.event == event.key


def arrival_id(stub: str) -> str:
    """Return the id of the record of the event that has arrived for a wait."""
    return f"{stub}.a"


def fits(patterns: tuple[str, ...], event: UnitEvent) -> Mapping[str, bool]:
    """Return for each pattern whether an event fits it. One of the system fits its own name only, as with triggers."""
    if event.origin == "system":
        return {pattern: pattern == event.type for pattern in patterns}
    return {pattern: glob(pattern).fullmatch(event.type) is not None for pattern in patterns}
