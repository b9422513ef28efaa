"""Senders: which events of a foreign request can be taken, under which ids, and whose they are.

A request of a foreign protocol may hold events of many persons. They become intakes of one sender each: a visitor, a
user, an earlier id of that user, and a session, of which any may be missing.

An event that cannot be taken is rejected, in its place, with the reason; the others are taken.
"""

from collections.abc import Generator
from typing import Final

from engine.language.surrogates import REPLACEMENT
from engine.ports.ids import short_hash
from engine.profile.key import KeyRules
from engine.profile.placeholder import length_reason, placeholder_reason
from engine.project.source import Source
from engine.tracking.foreign.groups import UNNAMED, Groups, IntakeGroup, Sender
from engine.tracking.foreign.translation import ForeignEvent, Translation
from engine.tracking.intake.consent import CONSENT_CHANGED, fault_of
from engine.tracking.intake.data_limits import first_fault, first_fault_in, has_fraction
from engine.tracking.intake.event_time import TIME_REMEDY, read_event_time
from engine.tracking.intake.ids import MAX_ID
from engine.tracking.intake.mending import Fault, kept_body
from engine.tracking.intake.payload import CUT, UNUSABLE, RejectedEvent, suspicious, usable, whole
from engine.tracking.intake.usable_id import usable_id

# Protocols whose clients give their events no ids. An event that has no time either looks as its repeat does, and
# is as often a second one: a price that is set to 1, to 2 and to 1 again.
WITHOUT_IDS: Final = frozenset({"rakam", "traintracks"})


def grouped_intakes(translation: Translation, source: Source, protocol: str, rules: KeyRules) -> list[IntakeGroup]:
    """Return the intakes of a translated request, by group."""
    return whole(grouping_steps(translation, source, protocol, rules))


def grouping_steps(
    translation: Translation, source: Source, protocol: str, rules: KeyRules, seed: str = ""
) -> Generator[None, None, list[IntakeGroup]]:
    """Do the same, and yield between two events: a large request takes long.

    With a `seed` every event has an id: where it would have none, one of its text and the seed.
    """
    content_ids = _ContentIds(source, protocol, seed)
    groups = Groups()
    for index, event in enumerate(translation.events):
        if index:
            yield
        if isinstance(event, RejectedEvent):
            groups.alone(index).rejected.append(event)
            continue
        collected = groups.of(index, sender_of_event(event, rules), len(event.raw))
        if fault := fault_of_event(event):
            collected.rejected.append(RejectedEvent(index, fault[1], event.at + fault[0], kept_body(event.raw)))
            continue
        id = usable_id(event.id, rules.never) or content_ids.next_id(event)
        collected.add(index, id, event)
    return groups.done(source.source)


class _ContentIds:
    """Ids of events whose clients give none, made of their texts, where the source or the protocol asks for that."""

    def __init__(self, source: Source, protocol: str, seed: str) -> None:
        self._of_all = source.deduplicate == "content"
        self._of_timed = source.deduplicate is None and protocol in WITHOUT_IDS
        self._names = (source.source, protocol)
        self._seed = seed
        self._equal: dict[bytes, int] = {}  # events of the request with the same text, so far

    def next_id(self, event: ForeignEvent) -> str | None:
        """Return the id of the next event of the request, or None. Equal events have different ids."""
        names: tuple[str, ...] = self._names
        if not self._of_all and (not self._of_timed or event.time is None):
            if not self._seed:
                return None
            names = (*names, self._seed)
        nth = self._equal[event.raw] = self._equal.get(event.raw, 0) + 1
        return short_hash(*names, event.raw.decode(errors="backslashreplace"), str(nth))


def sender_of_event(event: ForeignEvent, rules: KeyRules) -> Sender:
    """Return what an event says of its sender; a text that identifies no person says nothing."""
    if event.visitor is None and event.user is None and event.session is None:
        return UNNAMED
    visitor, user = usable_id(event.visitor, rules.never), _named(event.user, rules)
    previous = _named(event.previous, rules) if user is not None else None
    session = usable_id(event.session, rules.never)
    if session is not None and session.isdecimal():  # the time at which it began, which others can guess or share
        if visitor is None and user is None:
            return UNNAMED
        session = f"{session}-{short_hash('session', visitor or user or '')[:16]}"
    return Sender(visitor, user, previous if previous != user else None, session)


def fault_of_event(event: ForeignEvent) -> Fault | None:
    """Return the place (in the event) and the reason for which an event cannot be taken; None if it can be."""
    if not (0 < len(event.type) <= MAX_ID and usable(event.type)):
        return "", f"the type of an event has 1 to {MAX_ID} characters; it {UNUSABLE}"
    if event.user is not None and len(event.user.strip()) > MAX_ID:
        return "", f"a user id has at most {MAX_ID} characters"
    if cut := _cut_id(event):
        return "", f"the id of the {cut} {CUT}"
    if event.type == CONSENT_CHANGED and (fault := fault_of(event.properties)):
        return fault
    if suspicious(event.raw):
        found = first_fault(event.properties, "") or first_fault(event.context, "")
        if found or has_fraction(event.raw):
            found = first_fault_in(event.raw, "") or found  # with its place in the event
        if found:
            return found
    if event.time is not None and read_event_time(event.time) is None:
        return "", TIME_REMEDY.replace("`time`", "the time")  # each protocol has another name for it
    return None


def _cut_id(event: ForeignEvent) -> str | None:
    """Return whose id was cut inside a character; None if none was."""
    ids = (
        ("visitor", event.visitor),
        ("user", event.user),
        ("earlier user", event.previous),
        ("session", event.session),
        ("event", event.id),
    )
    return next((name for name, id in ids if id is not None and REPLACEMENT in id), None)


def _named(user: str | None, rules: KeyRules) -> str | None:
    """Return a user id as it is; None if it identifies no person."""
    user = user.strip() if user is not None else ""
    if not user or length_reason(user) or not usable(user):
        return None
    return None if placeholder_reason(user, rules.never) else user
