"""Spool entries: the form in which a unit waits for the store, and the order in which units wait for one another."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Raw, Struct, field, structs

from engine.flow.run import Identify
from engine.ports.ids import short_hash
from engine.ports.records import Rejected
from engine.ports.spool import SpoolEntry
from engine.project.project import Settings
from engine.project.source import Source
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.unit.request import UnitRequest, client_events, rejected_records

Name = tuple[str, ...]  # of something that two units may have in common


class SpooledUnit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A unit that has been acknowledged. Every event has an id; `now`, `seed` and the ids are those of its first try.

    `kind` and `identify` are its source's when it was admitted. `provisional_id` is the profile id that the sender was
    answered. `tried` says that the store may have taken it; `by` names the process that took it.
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

    def request(self, source: Source, deadline: float, settings: Settings, *, again: bool) -> UnitRequest:
        """Return its request. `again` says that it may have been committed before, in a try without an answer."""
        return UnitRequest(
            source=source,
            intake=self.intake,
            events=client_events(self.intake, _no_id, source, self.now, settings),
            now=self.now,
            seed=self.seed,
            deadline=deadline,
            replies={},
            again=again,
        )


class QueuedUnit(Struct, frozen=True):
    """An entry on its way to the store. `spooled` is None when it cannot be read, for the reason `error`."""

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
    """Return the intake with an id for every event: each takes effect once, however often it is tried."""
    if all(event.id is not None for event in intake.events):
        return intake
    events = [event if event.id is not None else structs.replace(event, id=new_id()) for event in intake.events]
    return structs.replace(intake, events=tuple(events))


def pack(unit: UnitRequest, by: str, provisional_id: str | None, *, tried: bool) -> SpoolEntry:
    """Return the entry that keeps a unit."""
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
        provisional_id=provisional_id,
    )
    return SpoolEntry(_encode(spooled), len(intake.events) + len(intake.rejected))


def unpack(entry: SpoolEntry) -> QueuedUnit:
    """Return the unit of an entry, with the names of the session, sender and profiles that it is known to touch."""
    try:
        spooled = _decode(entry.doc)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return QueuedUnit(entry, None, frozenset(), str(error))
    intake, names = spooled.intake, set[Name]()
    if intake.session is not None:
        names.add(("session", intake.source, intake.session))
    if intake.visitor is not None:
        names.add(("visitor", intake.source, intake.visitor))
    names |= {("user", user) for user in (intake.user, intake.previous) if user is not None}
    for id in (intake.profile, spooled.provisional_id):
        if id is not None and not intake.profile_less:
            names.add(("profile", id))
    return QueuedUnit(entry, spooled, frozenset(names))


def ordered_groups(waiting: Iterable[QueuedUnit]) -> list[OrderedGroup]:
    """Return the groups of units that come in order. Units with a name in common share one, and so on from there."""
    groups: list[OrderedGroup] = []
    group_of: dict[Name, OrderedGroup] = {}
    for one in waiting:
        touched = {id(group): group for name in one.names if (group := group_of.get(name)) is not None}
        group = _merged(list(touched.values()), groups, group_of)
        group.waiting.append(one)
        group.names |= one.names
        group_of.update((name, group) for name in one.names)
    return groups


def rejected_unit(spooled: SpooledUnit, error: Exception) -> tuple[Rejected, ...]:
    """Return the records of the events of a unit that cannot be processed, and of those rejected before."""
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
    """Return the records of events of a profile that has been forgotten: only that there were some."""
    reason = "it was accepted while the store was away, and whom it is about has been forgotten: nothing of it is kept"
    ids = [short_hash("rejected", spooled.seed, str(nth)) for nth in range(events)]
    return tuple([Rejected(id, spooled.intake.source, spooled.now, reason) for id in ids])


def rejected_entry(waiting: QueuedUnit, now: int) -> tuple[Rejected, ...]:
    """Return the record of an entry that cannot be read: all of it, as text."""
    doc = waiting.entry.doc
    record = Rejected(
        id=short_hash("rejected", str(doc)),
        source="(spool)",
        at=now,
        reason=f"it waited in the spool and cannot be read: {waiting.error}",
        body=Raw(msgspec.json.encode(doc.decode(errors="backslashreplace"))),
    )
    return (record,)


def _merged(
    touched: list[OrderedGroup], groups: list[OrderedGroup], group_of: dict[Name, OrderedGroup]
) -> OrderedGroup:
    """Return one group made of all that a unit touches."""
    if not touched:
        groups.append(OrderedGroup())
        return groups[-1]
    first, *others = touched
    for other in others:
        first.waiting = sorted([*first.waiting, *other.waiting], key=lambda one: one.entry.position)
        first.names |= other.names
        group_of.update((name, first) for name in other.names)
        groups[:] = [group for group in groups if group is not other]
    return first


def _no_id() -> str:
    raise ValueError("an event in the spool has no id")
