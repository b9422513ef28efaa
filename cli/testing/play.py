"""Playing a case of a test file: its steps go through the whole project, as `/track` and a server would take them."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, json, structs

from cli.testing.initial_profiles import initial_profiles
from cli.testing.mocks import MockPerformer, Request
from cli.testing.recording_store import Ids, RecordingStore, SegmentChange, TestClock
from engine.language.duration import read_duration
from engine.language.moment import date
from engine.ports.records import StoredEvent
from engine.ports.resolve import resolve_profile
from engine.profile.document import Link as Joining
from engine.profile.document import Profile
from engine.profile.merge import connected
from engine.profile.operations import Refused
from engine.project.project import Project
from engine.tracking.intake.payload import Incoming, Options, Refusal, read_track
from engine.tracking.operations.unmerging import unmerge_served
from engine.tracking.pipeline.tracker import Tracker
from flows.address import Addresses
from flows.case import CaseFile, Event, Given, Send, TestStep
from flows.test_references import given_profiles
from flows.visitor_ids import replace_placeholders

MAX_LOOKS = 10_000  # at profiles whose segments time has changed, in one step


class Impossible(Exception):
    """A step cannot be done; the message says why."""


class Visitor(Struct):
    """Somebody with a client: `told` is the profile id that it was answered, `own` the one under which it acts."""

    told: str | None = None
    own: str | None = None


class Happened(Struct, frozen=True, kw_only=True):
    """What came of a step. `people` are the profiles by visitor, `profile` that of the step's event or only visitor."""

    sender: str | None
    refused: Refusal | None
    response: Any
    event: dict[str, Any] | None
    events: tuple[StoredEvent, ...]
    runs: tuple[dict[str, Any], ...]
    requests: tuple[Request, ...]
    unmocked: tuple[Request, ...]
    crossings: tuple[SegmentChange, ...]
    people: dict[str, Profile | None]
    profile: Profile | None


class Play:
    """The stage of one case. The project is one that `staged` has given."""

    def __init__(self, project: Project, file: CaseFile) -> None:
        self.project = project
        self.stage = RecordingStore(project.settings.fields)
        self.clock = TestClock(date(file.clock))
        self.ids = Ids()
        self.home = file.flow if isinstance(file.flow, str) else None
        self.mocks = MockPerformer(Addresses(project, self.home))
        self.tracker = Tracker(project, self.stage, self.mocks, self.clock, self.ids)
        self.visitors: dict[str, Visitor] = {}
        self._sent: tuple[Incoming, ...] = ()  # the events of this step's payload
        self._source = file.source if isinstance(file.source, str) else next(iter(project.sources), "")

    async def begin(self, given: Given) -> None:
        """Let the case begin. Raises `Impossible` where a profile cannot hold what is given."""
        await self.tracker.start()
        for visitor, profile, _ in given_profiles(given):
            id = self.ids()
            try:
                await self.stage.commit(initial_profiles(self.project, profile, id, self.clock.now()))
            except Refused as refused:
                raise Impossible(str(refused)) from refused
            self.visitors[visitor] = Visitor(id, id)

    async def do(self, step: TestStep) -> Happened:
        """Do one step. Raises `Impossible`."""
        self.stage.begin()
        self.mocks.begin()
        self._sent = ()
        answer: dict[str, Any] = {}
        sender, refused = None, None
        if isinstance(step.send, Send):
            sender = step.send.visitor
            try:
                answer = await self._send(step.send)
            except Refusal as refusal:
                refused = refusal
        elif isinstance(step.advance, str):
            await self._advance(read_duration(step.advance) or 0)
        elif isinstance(step.unmerge, tuple):
            await self._unmerge(*step.unmerge)
        await self._look(self.clock.now())
        return await self._happened(sender, answer, refused)

    # ---- sending ----------------------------------------------------------------------------------------------------

    async def _send(self, send: Send) -> dict[str, Any]:
        """The answer to a payload of a visitor, whose client goes on with the profile id in it. Raises `Refusal`."""
        visitor = self.visitors.setdefault(send.visitor, Visitor())
        source = self.project.sources[send.source if isinstance(send.source, str) else self._source]
        if not source.enabled:
            raise Refusal("unauthorised", f"the source `{source.source}` is not enabled", "/source/id")
        session = f"{send.visitor}-{send.session}"
        body: dict[str, Any] = {
            "source": {"id": source.source},
            "session": {"id": session},
            "events": [self._event_sent(event) for event in _events(send)],
            "context": replace_placeholders(send.context, self._told),
            "options": {"debugger": "all"},
        }
        if visitor.told is not None and not send.profile_less:
            body["profile"] = {"id": visitor.told}
        intake = read_track(json.encode(body), profile_less=send.profile_less)
        self._sent = intake.events
        answer = (await self.tracker.track(intake, source)).body
        if intake.rejected:
            one = intake.rejected[0]
            raise Impossible(f"an event is rejected: {one.reason} (at {one.at})")
        if not send.profile_less:
            visitor.told = answer["profile"]["id"]
            stored = await self.stage.session(source.source, session)
            visitor.own = stored.profile if stored is not None and stored.profile is not None else visitor.told
        return answer

    def _event_sent(self, event: Event) -> dict[str, Any]:
        """An event as its client sends it: the keys that were given, with the ids that are wanted in it."""
        given = {name: value for name, value in structs.asdict(event).items() if value is not UNSET}
        for name in ("properties", "context"):
            if name in given:
                given[name] = replace_placeholders(given[name], self._told)
        return given

    def _told(self, visitor: str) -> str | None:
        return self.visitors[visitor].told

    # ---- what a server does by itself -------------------------------------------------------------------------------

    async def _advance(self, ms: int) -> None:
        """Let time pass. Profiles are looked at whenever they are due, as a server does."""
        end = self.clock.now() + ms
        await self._look(end)
        self.clock.advance(end - self.clock.now())
        await self.stage.forget_marks(end - self.project.settings.window_ms)

    async def _look(self, until: int) -> None:
        """Look at the profiles that are due until then, each at its time."""
        for _ in range(MAX_LOOKS):
            due = await self.stage.due(until, 1)
            profile = await self.stage.profile(due[0]) if due else None
            if profile is None or profile.due is None:
                return
            self.clock.advance(max(0, profile.due - self.clock.now()))
            await self.tracker.reevaluate(profile.id, Options(debugger="all"))
        raise Impossible(f"segments are entered and left more than {MAX_LOOKS} times")

    async def _unmerge(self, one: str, other: str) -> None:
        """Undo the step that joined two visitors: of several the last one that sets them apart."""
        profile = await self._person(one)
        own, others = self.visitors[one].own, self.visitors[other].own
        if profile is None or own is None or others is None or others not in profile.ids:
            raise Impossible(f"{one} and {other} are not one profile")
        for step in sorted(profile.links.values(), key=_at, reverse=True):
            steps = {id: each for id, each in profile.links.items() if id != step.id}
            if not step.undone and others not in connected(steps, own):
                await unmerge_served(self.tracker, profile.id, step.id)
                return
        raise Impossible(f"several steps join {one} and {other}: undoing one of them leaves them one profile")

    # ---- what came of it --------------------------------------------------------------------------------------------

    async def _happened(self, sender: str | None, answer: dict[str, Any], refused: Refusal | None) -> Happened:
        people = {name: await self._person(name) for name in self.visitors}
        event, of = self._event(answer)
        only = next(iter(self.visitors)) if len(self.visitors) == 1 else None
        profile = people.get(sender or only or "")
        if of is not None and sender is not None and self.visitors[sender].told is None:
            profile = await resolve_profile(self.stage, of)
        return Happened(
            sender=sender or only,
            refused=refused,
            response=answer.get("response"),
            event=event,
            events=tuple(self.stage.events),
            runs=tuple(self.stage.runs),
            requests=tuple(self.mocks.requests),
            unmocked=tuple(self.mocks.unmocked),
            crossings=tuple(self.stage.crossings),
            people=people,
            profile=profile,
        )

    def _event(self, answer: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
        """The last event of the payload as it is stored, with what became of it; and the profile id it has."""
        told = answer.get("debugging", {}).get("execution", {})
        sent = {key: one for key, one in told.items() if one["index"] is not None}
        if not sent:
            return None, None
        key = max(sent, key=lambda each: sent[each]["index"])
        given = next((event.id for event in self._sent if event.index == sent[key]["index"]), None)
        id = given or key  # an event whose id stands twice in a payload is told under its number
        stored = next((one for one in self.stage.events if one.id == id), None)
        shown = {"disposition": sent[key]["disposition"], "id": id, "type": sent[key].get("type")}
        if stored is None:
            return shown, None
        names = ("origin", "properties", "context")
        return {**shown, **{name: getattr(stored, name) for name in names}}, stored.profile

    async def _person(self, visitor: str) -> Profile | None:
        id = self.visitors[visitor].own
        return None if id is None else await resolve_profile(self.stage, id)


def _events(send: Send) -> tuple[Event, ...]:
    if isinstance(send.events, tuple):
        return send.events
    assert not isinstance(send.type, UnsetType)  # noqa: S101  # the file was checked
    return (Event(type=send.type, id=send.id, time=send.time, properties=send.properties),)


def _at(step: Joining) -> tuple[int, str]:
    return step.why.at if step.why is not None else 0, step.id
