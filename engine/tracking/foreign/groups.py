"""Ordered groups: the intakes of a foreign request, so that events of one person keep their order.

Intakes of which two may be one person's are in one *ordered group*: they have a visitor, a user or a session in common,
directly or by way of others. Two events that have one in common keep their order there. Groups have nothing in common,
so they may be processed side by side. An event that names no person has a group of its own.
"""

from typing import Final

from msgspec import Struct, structs

from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.mending import kept_body
from engine.tracking.intake.payload import MAX_BODY, MAX_EVENTS, Incoming, Intake, Options, RejectedEvent

_PLAIN: Final = Options()
Name = tuple[str, str]  # of a visitor, a user or a session, behind which of these it is


class Sender(Struct, frozen=True):
    """The sender that an event names. Nothing means that the event names no person."""

    visitor: str | None = None
    user: str | None = None
    previous: str | None = None
    session: str | None = None

    def names(self) -> list[Name]:
        """Return what another sender may have in common with this one."""
        given = (("visitor", self.visitor), ("user", self.user), ("user", self.previous), ("session", self.session))
        return [(kind, name) for kind, name in given if name is not None]


UNNAMED: Final = Sender()


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


IntakeGroup = list[SenderIntake]


class Collected:
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

    def add(self, index: int, id: str | None, event: ForeignEvent) -> None:
        """Add an event, under an id of at most `MAX_ID` characters or none."""
        self.events.append(
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
        self.given[index] = event
        self.size += len(event.raw)

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


class _Group:
    """An ordered group while it grows. Its intakes have the number of the event with which each begins."""

    __slots__ = ("intakes", "last", "names")

    def __init__(self, names: list[Name]) -> None:
        self.names = names
        self.intakes: list[tuple[int, Collected]] = []
        self.last: Collected | None = None  # of the intakes, the one that begins last

    def begin(self, index: int, sender: Sender) -> Collected:
        """Return a new intake, which begins with the event `index`."""
        self.last = Collected(sender)
        self.intakes.append((index, self.last))
        return self.last

    def join(self, other: "_Group") -> None:
        """Take over all of another group. No intake has the event that joins them: it begins one, as `last`."""
        self.names += other.names
        self.intakes += other.intakes
        other.intakes = []


class Groups:
    """The groups of a request whose events are collected. Each name leads to its group; groups that meet are joined.

    Of two groups the one with fewer names is taken into the other, so that each name moves only a few times.
    """

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._of_name: dict[Name, _Group] = {}

    def alone(self, index: int) -> Collected:
        """Return where an event that names no person is to be collected: a group of its own."""
        return self._new([]).begin(index, UNNAMED)

    def of(self, index: int, sender: Sender, size: int) -> Collected:
        """Return where an event of a sender, of so many bytes, is to be collected."""
        names = sender.names()
        if not names:
            return self.alone(index)
        group = self._of(names)
        if group.last is not None and group.last.fits(sender, size):
            return group.last
        return group.begin(index, sender)

    def done(self, source: str) -> list[IntakeGroup]:
        """Return the intakes, by group."""
        return [
            [collected.done(source) for _, collected in sorted(group.intakes, key=lambda one: one[0])]
            for group in self._groups
            if group.intakes
        ]

    def _new(self, names: list[Name]) -> _Group:
        group = _Group(names)
        self._groups.append(group)
        return group

    def _of(self, names: list[Name]) -> _Group:
        """Return the one group of several names."""
        found: _Group | None = None
        for name in names:
            other = self._of_name.get(name)
            if other is None or other is found:
                continue
            if found is None:
                found = other
                continue
            larger, smaller = (found, other) if len(found.names) >= len(other.names) else (other, found)
            self._of_name.update(dict.fromkeys(smaller.names, larger))
            larger.join(smaller)
            found = larger
        if found is None:
            found = self._new([])
        for name in names:
            if name not in self._of_name:
                self._of_name[name] = found
                found.names.append(name)
        return found
