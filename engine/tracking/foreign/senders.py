"""Senders: which events of a foreign request can be taken, and whose they are.

A request of a foreign protocol may hold events of many persons. They become intakes of one sender each: a visitor, a
user, an earlier id of that user, and a session, of which any may be missing. Intakes of which two may be one person's
are in one *lane*: they have a visitor, a user or a session in common, directly or by way of others. Two events that
have one in common keep their order there. Lanes have nothing in common, so they may be processed side by side. An
event that names nobody has a lane of its own.

An event that cannot be taken is rejected, in its place, with the reason; the others are taken.
"""

from collections.abc import Generator
from typing import Final

from msgspec import Struct, structs

from engine.ports.ids import short_hash
from engine.profile.key import KeyRules
from engine.profile.placeholder import placeholder_reason
from engine.project.source import Source
from engine.tracking.foreign.translation import ForeignEvent, Translation
from engine.tracking.intake.consent import CONSENT_CHANGED, fault_of
from engine.tracking.intake.data_limits import first_fault, first_fault_in, has_fraction
from engine.tracking.intake.event_time import TIME_REMEDY, read_event_time
from engine.tracking.intake.ids import MAX_ID
from engine.tracking.intake.mending import Fault, kept_body
from engine.tracking.intake.payload import (
    MAX_BODY,
    MAX_EVENTS,
    UNUSABLE,
    Incoming,
    Intake,
    Options,
    RejectedEvent,
    suspicious,
    usable,
)

# Protocols whose clients give their events no ids.
WITHOUT_IDS: Final = frozenset({"rakam", "traintracks"})
_PLAIN: Final = Options()


class Sender(Struct, frozen=True):
    """What an event says of its sender. Nothing means that the event is nobody's."""

    visitor: str | None = None
    user: str | None = None
    previous: str | None = None
    session: str | None = None

    def names(self) -> list[tuple[str, str]]:
        """Return what another sender may have in common with this one."""
        given = (("visitor", self.visitor), ("user", self.user), ("user", self.previous), ("session", self.session))
        return [(kind, name) for kind, name in given if name is not None]


NOBODY: Final = Sender()


class SenderIntake(Struct, frozen=True):
    """Events of one sender that follow one another, and by index those that may be taken, as they came."""

    intake: Intake
    given: dict[int, ForeignEvent]

    @property
    def events(self) -> int:
        """How many events it has, with those that are rejected."""
        return len(self.given) + len(self.intake.rejected)

    def all_rejected(self, reason: str) -> Intake:
        """Return an intake in which every event is rejected, for a reason that is its sender's."""
        events = [RejectedEvent(index, reason, one.at, kept_body(one.raw)) for index, one in self.given.items()]
        given = structs.replace(self.intake, events=(), rejected=(*self.intake.rejected, *events))
        return structs.replace(given, visitor=None, user=None, previous=None, profile_less=True, sessionless=True)

    def halves(self) -> tuple["SenderIntake", "SenderIntake"]:
        """Return two intakes of the same events; the first has those that are rejected already."""
        half = len(self.intake.events) // 2
        first, second = self.intake.events[:half], self.intake.events[half:]
        return (
            SenderIntake(structs.replace(self.intake, events=first), self.given_of(first)),
            SenderIntake(structs.replace(self.intake, events=second, rejected=()), self.given_of(second)),
        )

    def given_of(self, events: tuple[Incoming, ...]) -> dict[int, ForeignEvent]:
        """Return some of the events as they came, by index."""
        return {event.index: self.given[event.index] for event in events}


Lane = list[SenderIntake]


class _Collected:
    """The events of a sender that have been collected so far."""

    __slots__ = ("events", "given", "rejected", "sender", "size")

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.events: list[Incoming] = []
        self.rejected: list[RejectedEvent] = []
        self.given: dict[int, ForeignEvent] = {}
        self.size = 0

    def fits(self, sender: Sender, size: int) -> bool:
        """Return whether one more event, of so many bytes, can go into the same intake."""
        return self.sender == sender and len(self.events) < MAX_EVENTS and self.size + size <= MAX_BODY

    def done(self, source: str) -> SenderIntake:
        """Return the intake of the events."""
        sender = self.sender
        bare = sender.visitor is None and sender.user is None and sender.session is None
        intake = Intake(
            source=source,
            session=sender.session,
            visitor=sender.visitor,
            user=sender.user,
            previous=sender.previous,
            events=tuple(self.events),
            rejected=tuple(self.rejected),
            options=_PLAIN,
            profile_less=bare,
            sessionless=bare,
        )
        return SenderIntake(intake, self.given)


def lanes_of(translation: Translation, source: Source, protocol: str, rules: KeyRules) -> list[Lane]:
    """Return the intakes of a translated request, by lane."""
    steps = lane_steps(translation, source, protocol, rules)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            lanes: list[Lane] = end.value
            return lanes


def lane_steps(
    translation: Translation, source: Source, protocol: str, rules: KeyRules
) -> Generator[None, None, list[Lane]]:
    """Do the same, and yield between two events: a large request takes long."""
    by_content = source.deduplicate == "content" or (source.deduplicate is None and protocol in WITHOUT_IDS)
    equal: dict[bytes, int] = {}  # events of the request with the same text, so far
    lanes = _Lanes()
    for index, event in enumerate(translation.events):
        if index:
            yield
        if isinstance(event, RejectedEvent):
            lanes.alone().rejected.append(event)
            continue
        sender = sender_of_event(event, rules)
        collected = lanes.of(sender, len(event.raw))
        if fault := fault_of_event(event):
            collected.rejected.append(RejectedEvent(index, fault[1], event.at + fault[0], kept_body(event.raw)))
            continue
        id = usable_id(event.id, rules.never)
        if id is None and by_content:
            nth = equal[event.raw] = equal.get(event.raw, 0) + 1
            id = short_hash(source.source, protocol, event.raw.decode(errors="backslashreplace"), str(nth))
        collected.events.append(
            Incoming(
                index,
                id,
                event.type,
                event.properties,
                event.context,
                event.time,
                sent=event.sent,
                skewed=event.skewed,
            )
        )
        collected.given[index] = event
        collected.size += len(event.raw)
    return lanes.done(source.source)


def sender_of_event(event: ForeignEvent, rules: KeyRules) -> Sender:
    """Return what an event says of its sender; a text that identifies nobody says nothing."""
    if event.visitor is None and event.user is None and event.session is None:
        return NOBODY
    user = _named(event.user, rules)
    previous = _named(event.previous, rules) if user is not None else None
    return Sender(
        usable_id(event.visitor, rules.never),
        user,
        previous if previous != user else None,
        usable_id(event.session, rules.never),
    )


def fault_of_event(event: ForeignEvent) -> Fault | None:
    """Return the place (in the event) and the reason for which an event cannot be taken; None if it can be."""
    if not (0 < len(event.type) <= MAX_ID and usable(event.type)):
        return "", f"the type of an event has 1 to {MAX_ID} characters; it {UNUSABLE}"
    if event.user is not None and len(event.user.strip()) > MAX_ID:
        return "", f"a user id has at most {MAX_ID} characters"
    if event.type == CONSENT_CHANGED and (fault := fault_of(event.properties)):
        return fault
    if suspicious(event.raw):
        fault = first_fault(event.properties, "") or first_fault(event.context, "")
        fault = fault or (first_fault_in(event.raw, "") if has_fraction(event.raw) else None)
        if fault:
            return fault
    if event.time is not None and read_event_time(event.time) is None:
        return "", TIME_REMEDY
    return None


def usable_id(id: str | None, never: frozenset[str]) -> str | None:
    """Return an id of at most `MAX_ID` printable characters; a hash in place of another one, None for a placeholder."""
    if not id:
        return None
    if len(id) > MAX_ID or not usable(id):
        id = id.strip()
        if id and (len(id) > MAX_ID or not usable(id)):
            return short_hash("id", id)
    return None if not id or placeholder_reason(id, never) else id


def _named(user: str | None, rules: KeyRules) -> str | None:
    """Return a user id as it is; None if it identifies nobody."""
    user = user.strip() if user is not None else ""
    return user if user and usable(user) and not placeholder_reason(user, rules.never) else None


class _Lanes:
    """The lanes of a request whose events are collected. Each name leads to its lane; lanes that meet are joined."""

    def __init__(self) -> None:
        self._order: list[list[tuple[int, _Collected]]] = []  # lanes; each intake with its place in the request
        self._of_name: dict[tuple[str, str], int] = {}
        self._count = 0

    def alone(self) -> _Collected:
        """Return the start of a new lane, of nobody."""
        collected = _Collected(NOBODY)
        self._order.append([(self._next(), collected)])
        return collected

    def of(self, sender: Sender, size: int) -> _Collected:
        """Return where an event of a sender, of so many bytes, is to be collected."""
        names = sender.names()
        if not names:
            return self.alone()
        lane = self._joined(names)
        if lane and lane[-1][1].fits(sender, size):
            return lane[-1][1]
        collected = _Collected(sender)
        lane.append((self._next(), collected))
        return collected

    def done(self, source: str) -> list[Lane]:
        """Return the intakes, by lane."""
        return [[collected.done(source) for _, collected in lane] for lane in self._order if lane]

    def _joined(self, names: list[tuple[str, str]]) -> list[tuple[int, _Collected]]:
        """Return the one lane of several names."""
        found = sorted({self._of_name[name] for name in names if name in self._of_name})
        if not found:
            self._order.append([])
            found = [len(self._order) - 1]
        first, *others = found
        for other in others:
            self._order[first] = sorted(self._order[first] + self._order[other], key=lambda one: one[0])
            self._order[other] = []
            for name, lane in self._of_name.items():
                if lane == other:
                    self._of_name[name] = first
        for name in names:
            self._of_name[name] = first
        return self._order[first]

    def _next(self) -> int:
        self._count += 1
        return self._count
