"""A spooled unit: what is kept of it while it waits for the store, and which units wait for one another."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Raw, Struct, field, structs

from engine.flow.run import Identify
from engine.ports.ids import short_hash
from engine.ports.records import Rejected
from engine.ports.spool import SpoolEntry
from engine.project.source import Source
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.unit.compose import rejected_records
from engine.tracking.unit.request import UnitRequest, client_events

Name = tuple[str, ...]  # of something that two units may have in common


class SpooledUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A unit that has been acknowledged. Every event has an id; `now`, `seed` and the ids are those of its first try.

    `kind` and `identify` are its source's when it was admitted. `promised` is the profile id that the sender was told.
    `tried` says that the store may have taken it, unheard; `by` names the tracker that took it.
    """

    seed: str
    now: int
    kind: Literal["public", "secret"]
    identify: Identify
    intake: Intake
    by: str
    tried: bool = False
    provisional_id: str | None = None

    def source(self, sources: Mapping[str, Source]) -> Source:
        """The source as it is now, with the authority that it had then."""
        source = sources.get(self.intake.source) or Source(source=self.intake.source)
        if (source.kind, source.identify) == (self.kind, self.identify):
            return source
        return structs.replace(source, kind=self.kind, identify=self.identify)

    def request(self, source: Source, deadline: float, *, again: bool) -> UnitRequest:
        """What is to be done. `again` says that it may have been done before, when nobody heard of it."""
        return UnitRequest(
            source=source,
            intake=self.intake,
            events=client_events(self.intake, _no_id),
            now=self.now,
            seed=self.seed,
            deadline=deadline,
            replies={},
            again=again,
        )


class QueuedUnit(Struct, frozen=True):
    """A parcel on its way to the store. `spooled` is None when it cannot be read, for the reason `wrong`."""

    entry: SpoolEntry
    spooled: SpooledUnit | None
    names: frozenset[Name]
    error: str = ""


class OrderedGroup(Struct):
    """Units that have something in common, in order: each waits for the one before."""

    waiting: list[QueuedUnit] = field(default_factory=list)
    names: set[Name] = field(default_factory=set)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SpooledUnit).decode


def with_event_ids(intake: Intake, new_id: Callable[[], str]) -> Intake:
    """The intake with an id for every event: it takes effect once, however often it is tried."""
    if all(event.id is not None for event in intake.events):
        return intake
    events = [event if event.id is not None else structs.replace(event, id=new_id()) for event in intake.events]
    return structs.replace(intake, events=tuple(events))


def pack(unit: UnitRequest, by: str, promised: str | None, *, tried: bool) -> SpoolEntry:
    """What a spool keeps of a unit."""
    indexes = {event.index for event in unit.events}
    intake = unit.intake
    if len(indexes) < len(intake.events):  # one of several units of its payload
        intake = structs.replace(intake, events=tuple(event for event in intake.events if event.index in indexes))
    spooled = SpooledUnit(
        seed=unit.seed,
        now=unit.now,
        kind=unit.source.kind,
        identify=unit.source.identify,
        intake=intake,
        by=by,
        tried=tried,
        provisional_id=promised,
    )
    return SpoolEntry(_encode(spooled), len(intake.events) + len(intake.rejected))


def unpack(entry: SpoolEntry) -> QueuedUnit:
    """A parcel that was kept, with the names of what its unit is known to touch."""
    try:
        spooled = _decode(entry.doc)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return QueuedUnit(entry, None, frozenset(), str(error))
    intake, names = spooled.intake, set[Name]()
    if intake.session is not None:
        names.add(("session", intake.source, intake.session))
    for id in (intake.profile, spooled.provisional_id):
        if id is not None and not intake.profile_less:
            names.add(("profile", id))
    return QueuedUnit(entry, spooled, frozenset(names))


def ordered_groups(waiting: Iterable[QueuedUnit]) -> list[OrderedGroup]:
    """The lanes of units that are given in order. Units with a name in common share one, and so on from there."""
    lanes: list[OrderedGroup] = []
    lane_of: dict[Name, OrderedGroup] = {}
    for one in waiting:
        met = {id(lane): lane for name in one.names if (lane := lane_of.get(name)) is not None}
        lane = _merged(list(met.values()), lanes, lane_of)
        lane.waiting.append(one)
        lane.names |= one.names
        lane_of.update((name, lane) for name in one.names)
    return lanes


def rejected_unit(spooled: SpooledUnit, error: Exception) -> tuple[Rejected, ...]:
    """The events of a unit that cannot be done, as they are kept; and those that had been rejected before."""
    intake = spooled.intake
    if isinstance(error, Refusal) and error.kind == "forgotten":
        return _forgotten(spooled, len(intake.events) + len(intake.rejected))
    reason = f"it was accepted while the store was away, and could not be processed: {type(error).__name__}: {error}"
    records = [
        Rejected(
            id=short_hash("rejected", spooled.seed, str(event.index)),
            source=intake.source,
            at=spooled.now,
            reason=reason,
            at_field=f"/events/{event.index}",
            session=intake.session,
            body=Raw(msgspec.json.encode(event)),
            profile=intake.profile,
        )
        for event in intake.events
    ]
    return (*records, *rejected_records(intake, spooled.now, spooled.seed))


def _forgotten(spooled: SpooledUnit, events: int) -> tuple[Rejected, ...]:
    """What is kept of events of somebody who has been forgotten: that there were some."""
    reason = "it was accepted while the store was away, and whom it is about has been forgotten: nothing of it is kept"
    ids = [short_hash("rejected", spooled.seed, str(nth)) for nth in range(events)]
    return tuple([Rejected(id, spooled.intake.source, spooled.now, reason) for id in ids])


def rejected_entry(waiting: QueuedUnit, now: int) -> tuple[Rejected, ...]:
    """What is kept of a parcel that cannot be read: all of it, as text."""
    doc = waiting.entry.doc
    record = Rejected(
        id=short_hash("rejected", str(doc)),
        source="(spool)",
        at=now,
        reason=f"it waited in the spool and cannot be read: {waiting.error}",
        body=Raw(msgspec.json.encode(doc.decode(errors="backslashreplace"))),
    )
    return (record,)


def _merged(met: list[OrderedGroup], lanes: list[OrderedGroup], lane_of: dict[Name, OrderedGroup]) -> OrderedGroup:
    """One lane of those that a unit has met."""
    if not met:
        lanes.append(OrderedGroup())
        return lanes[-1]
    first, *others = met
    for other in others:
        first.waiting = sorted([*first.waiting, *other.waiting], key=lambda one: one.entry.position)
        first.names |= other.names
        lane_of.update((name, first) for name in other.names)
        lanes[:] = [lane for lane in lanes if lane is not other]
    return first


def _no_id() -> str:
    raise ValueError("an event in the spool has no id")
