"""A unit request: one unit of work to do, with everything that stays the same in each of its runs."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Final

from msgspec import Struct, structs

from engine.flow.ask import Reply
from engine.language.zone import find_zone
from engine.ports.ids import short_hash
from engine.ports.records import ProcessedEvent, Rejected
from engine.ports.replay import RunReplay
from engine.ports.world import Clock
from engine.profile.key import KeyRules
from engine.profile.placeholder import placeholder_reason
from engine.project.project import Settings
from engine.project.source import Source
from engine.tracking.intake.event_time import read_event_time
from engine.tracking.intake.occurrence import occurrence
from engine.tracking.intake.pair import session_of_pair, with_checked_pair
from engine.tracking.intake.payload import Incoming, Intake, Refusal
from engine.tracking.unit.effects import FlowResult
from engine.tracking.unit.event import UnitEvent, client_event
from engine.tracking.unit.resumed import Resumed
from engine.tracking.unit.scheduled import Firing
from engine.tracking.unit.sender import HandedOver

DEFAULTS: Final = Settings()
ReplyKey = tuple[str, str, str, int, int, bytes]  # event, flow, node, number of the ask, attempt, what was asked


class UnitRequest(Struct, frozen=True):
    """A unit to do; one without events only re-evaluates the segments of its profile.

    `replies` are those from outside, in the order in which they came: they are not asked again in a rerun. `deadline`
    is the clock's tick from which the answer cannot wait any longer. `again` says that the unit may have been committed
    before, and that its answer was lost. `handed_over` says that a run of the first event has handed the session over.
    """

    source: Source
    intake: Intake
    events: tuple[UnitEvent, ...]
    now: int
    seed: str
    deadline: float
    replies: dict[ReplyKey, Reply]
    again: bool = False
    handed_over: HandedOver | None = None
    given_up: tuple[FlowResult, ...] = ()  # runs of the first event that handed it over
    given_up_open: bool = True  # the sender may see values and ids that these runs read
    firing: Firing | None = None  # the unit is one of a scheduled flow
    resumed: Resumed | None = None  # the unit resumes a run that has waited; it has no events then
    replay: RunReplay | None = None  # the unit does a failed run again

    @classmethod
    def of(
        cls, intake: Intake, source: Source, clock: Clock, new_id: Callable[[], str], settings: Settings = DEFAULTS
    ) -> "UnitRequest":
        """Return the request of an intake, with a time, a seed and ids drawn now. It may be one for `units_of`."""
        now, deadline = clock.now(), clock.ticks() + source.answer_within / 1000
        events = client_events(intake, new_id, source, now, settings)
        return cls(source, intake, events, now, new_id(), deadline, {})

    def rejected(self) -> tuple[Rejected, ...]:
        """Return the records of the events that could not be accepted."""
        return rejected_records(self.intake, self.now, self.seed) if self.intake.rejected else ()


def rejected_records(intake: Intake, now: int, seed: str) -> tuple[Rejected, ...]:
    """Return the records of the rejected events of an intake, under ids that follow from `seed`."""
    return tuple(
        [
            Rejected(
                id=short_hash("rejected", seed, str(one.index)),
                source=intake.source,
                at=now,
                reason=one.reason,
                at_field=one.at,
                session=intake.session,
                body=one.body,
                profile=intake.profile,
            )
            for one in intake.rejected
        ]
    )


def with_session(intake: Intake, source: Source, rules: KeyRules, secret: bytes, new_id: Callable[[], str]) -> Intake:
    """Return the intake with a session id: its own, that of its visitor and user, or one that its source makes.

    `secret` is the store's. Raises `Refusal` without any, and for an id of a session, profile, visitor or user that
    identifies no person, as those in `rules.never` do. Raises `Unavailable` while the secret is needed and not known.
    """
    never = rules.never
    if intake.profile is not None and (reason := placeholder_reason(intake.profile, never)):
        detail = f"the profile id `{intake.profile}` {reason}: send the id of the first answer, or leave it out"
        raise Refusal("malformed", detail, "/profile/id")
    has_pair = intake.visitor is not None or intake.user is not None
    if has_pair:
        intake = with_checked_pair(intake, source, rules)
    session = intake.session
    reason = placeholder_reason(session, never) if session is not None else ""
    if (session is not None and not reason) or intake.sessionless:
        return intake
    if has_pair and (session is None or source.sessions == "made"):
        return structs.replace(intake, session=session_of_pair(intake, secret))
    if source.sessions != "made":
        wrong = f"the session id `{session}` {reason}" if session is not None else "a payload needs `session.id`"
        remedy = "make one per visit on the client (a uuid4) and send it each time; or send a `visitor`"
        raise Refusal("malformed", f"{wrong}: {remedy}", "/session/id")
    return structs.replace(intake, session=new_id(), session_made=True)


def client_events(
    intake: Intake, new_id: Callable[[], str], source: Source, received: int, settings: Settings
) -> tuple[UnitEvent, ...]:
    """Return the events of an intake, each with an id; `received` is in ms."""
    ids: set[str] = set()
    found = []
    for event in intake.events:
        id = event.id or new_id()
        made = client_event(event, id, id in ids)
        found.append(made if event.time is None else with_time(made, event, source, received, settings))
        ids.add(id)
    return tuple(found)


def with_time(event: UnitEvent, sent: Incoming, source: Source, received: int, settings: Settings) -> UnitEvent:
    """Return an event with its time, as its client has sent it."""
    zone = find_zone(settings.timezone) or UTC
    time = read_event_time(sent.time, zone)
    if time is None:
        return event
    sent_at = None if sent.sent is None else read_event_time(sent.sent, zone)
    found = occurrence(time, sent_at, received, settings.oldest_ms, slow=source.clock == "skewed", skewed=sent.skewed)
    return structs.replace(event, time=time, occurred=found.at, late=found.late)


def units_of(request: UnitRequest) -> list[UnitRequest]:
    """Return the units of a payload: one for each profile-less event; the first one records the rejected events."""
    if not request.intake.profile_less or len(request.events) < 2:
        return [request]
    parts = []
    for i, event in enumerate(request.events):
        intake = request.intake if i == 0 else structs.replace(request.intake, rejected=())
        seed = f"{request.seed}{i:03d}"
        parts.append(structs.replace(request, events=(event,), intake=intake, seed=seed, replies={}))
    return parts


def split_duplicates(
    request: UnitRequest, marks: Mapping[str, ProcessedEvent]
) -> tuple[dict[int, ProcessedEvent], list[UnitEvent]]:
    """Return the marks of the events that have taken effect before, by index; and the other events, each id once."""
    found: dict[int, ProcessedEvent] = {}
    fresh: list[UnitEvent] = []
    known: set[str] = set()
    for event in request.events:
        if event.marked and (event.id in marks or event.id in known):
            own = ProcessedEvent(request.source.source, event.id, request.now, request.intake.session)
            found[event.index or 0] = marks.get(event.id, own)
        else:
            fresh.append(event)
            known.add(event.id)
    return found, fresh


def committed_earlier(request: UnitRequest, marks: dict[int, ProcessedEvent]) -> list[UnitEvent]:
    """Return the events that took effect in an earlier try of this very unit, each once; `marks` are by index."""
    if not request.again:
        return []
    found: dict[str, UnitEvent] = {}
    for event in request.events:
        mark = marks.get(event.index or 0)
        if mark is not None and (mark.at, mark.session) == (request.now, request.intake.session):
            found.setdefault(event.id, event)
    return list(found.values())
