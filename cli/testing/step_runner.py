"""Runs the steps of a case through a whole project, in memory, as `/track` and a server would process them."""

from dataclasses import replace
from typing import Any

from msgspec import UNSET, Struct, UnsetType, json, structs

from cli.testing.case_project import case_project, tested_flows, timed_flows
from cli.testing.case_tasks import CaseTasks
from cli.testing.given_places import GivenPlaces
from cli.testing.initial_profiles import initial_profile_unit
from cli.testing.mocks import MockPerformer, Request
from cli.testing.recorded_webhooks import RecordedWebhooks, Recordings
from cli.testing.recording_store import RecordingStore, SegmentChange
from cli.testing.sequential_ids import SequentialIds
from cli.testing.virtual_clock import VirtualClock
from engine.language.duration import read_duration
from engine.language.moment import date
from engine.ports.outbox import StoredDelivery
from engine.ports.records import StoredEvent
from engine.ports.resolve import resolve_profile
from engine.ports.store import Conflict
from engine.profile.document import Link, Profile, WaitStub
from engine.profile.linking import Pool, component, undo
from engine.profile.operations import Refused
from engine.project.project import Project
from engine.tracking.intake.payload import Incoming, Options, Refusal, read_track
from engine.tracking.operations.unmerging import unmerge_served
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.waits.waking import wake
from flows.address import Addresses
from flows.case import Case, CaseFile, Event, Given, Send, TestStep
from flows.test_references import given_profiles
from flows.visitor_ids import replace_placeholders

MAX_WOKEN = 10_000  # profiles whose segments time has changed, or whose waits have ended, in one step
MAX_WAITING = 10_000  # profiles
NEVER = 2**53  # ms; no wait ends later
MAX_FIRINGS = 1_000  # in one step


class ImpossibleStep(Exception):
    """A step that cannot be done; the message says why."""


class Visitor(Struct):
    """A client: `answered_id` is the profile id that it was answered last, `acting_id` the id under which it acts."""

    answered_id: str | None = None
    acting_id: str | None = None


class StepResult(Struct, frozen=True, kw_only=True):
    """The result of a step.

    `event` is the last event of the payload as it is stored, with its disposition. `profiles` are by visitor, `profile`
    is that of the event, else of the sender or only visitor. `unmocked` are the requests that no mock answered.
    `waits` are those that are open after the step, in the order in which they end.
    `withheld` says why the sender's answer lacks data; it is empty if the answer is complete.
    """

    sender: str | None
    refusal: Refusal | None
    response: Any
    event: dict[str, Any] | None
    events: tuple[StoredEvent, ...]
    runs: tuple[dict[str, Any], ...]
    requests: tuple[Request, ...]
    unmocked: tuple[Request, ...]
    deliveries: tuple[StoredDelivery, ...]
    waits: tuple[WaitStub, ...]
    segment_changes: tuple[SegmentChange, ...]
    profiles: dict[str, Profile | None]
    profile: Profile | None
    state: dict[str, Any] | None = None  # what the flow of the file keeps from one firing to the next
    withheld: str = ""


class StepRunner:
    """Runs the steps of one case, on a store, a clock and ids of its own. Expects a `traced_project`.

    `project` is the part of the `whole` project that the case runs, `tested` are the flows that it is about.
    `recorded` are the requests of its `webhook` steps, by their files.
    """

    def __init__(self, whole: Project, file: CaseFile, case: Case, recorded: Recordings | None = None) -> None:
        self.whole = whole
        self.project = project = case_project(whole, file, case)
        self.tested = tested_flows(whole, file, case)
        self.store = RecordingStore(project.settings.fields)
        self.clock = VirtualClock(date(file.clock, project.settings.timezone))
        self.ids = SequentialIds()
        self.home = file.flow if isinstance(file.flow, str) else None
        self.mocks = MockPerformer(Addresses(project, self.home))
        self.pipeline = Pipeline(project, self.store, self.mocks, self.clock, self.ids)
        self.tracker = Tracker(self.pipeline)
        self.tasks = CaseTasks(self.pipeline, timed_flows(whole, file, case))
        self.webhooks = RecordedWebhooks(self.tracker)
        self.visitors: dict[str, Visitor] = {}
        self._recorded = recorded or {}
        self._sent: tuple[Incoming, ...] = ()  # the events of this step's payload
        self._firings = 0  # in this step
        self._source = file.source if isinstance(file.source, str) else next(iter(project.sources), "")

    @property
    def sent_types(self) -> tuple[str, ...]:
        """The types of the events that the current step has sent."""
        return tuple([event.type for event in self._sent])

    async def start(self, given: Given) -> None:
        """Store the given profiles. Raises `ImpossibleStep` for values that no profile can have."""
        self.pipeline.driver.places = GivenPlaces(given.places)
        await self.tracker.start()
        secret = await self.store.secret()
        for visitor, profile, _ in given_profiles(given):
            id = self.ids()
            try:
                unit = initial_profile_unit(self.project, profile, id, self.clock.now(), secret)
                await self.store.commit(unit)
            except Refused as refused:
                raise ImpossibleStep(str(refused)) from refused
            except Conflict as conflict:
                path = conflict.id.lstrip("?").rpartition(":")[0]
                help = "give each another value, or let events bring it"
                raise ImpossibleStep(f"`{visitor}` has the same `{path}` as a profile before it: {help}") from conflict
            self.visitors[visitor] = Visitor(id, id)
        await self.tasks.start(self.home, given.state)

    async def run(self, step: TestStep) -> StepResult:
        """Run one step. Raises `ImpossibleStep`."""
        self.store.start_step()
        self.mocks.start_step()
        self._sent = ()
        self._firings = 0
        answer: dict[str, Any] = {}
        sender, refusal = None, None
        if isinstance(step.send, Send):
            sender = step.send.visitor
            try:
                answer = await self._send(step.send)
            except Refusal as raised:
                refusal = raised
        elif isinstance(step.webhook, str):
            await self._play(step.webhook)
        elif isinstance(step.advance, str):
            await self._advance(read_duration(step.advance) or 0)
        elif isinstance(step.unmerge, tuple):
            await self._unmerge(*step.unmerge)
        elif isinstance(step.fire, str):
            await self.tasks.fire(step.fire)
        await self._wake_due(self.clock.now())
        return await self._result(sender, answer, refusal)

    # ---- sending ----------------------------------------------------------------------------------------------------

    async def _send(self, send: Send) -> dict[str, Any]:
        """Return the answer to a payload; its visitor sends the profile id in it from now on. Raises `Refusal`."""
        visitor = self.visitors.setdefault(send.visitor, Visitor())
        source = self.project.sources[send.source if isinstance(send.source, str) else self._source]
        if not source.enabled:
            raise Refusal("unauthorised", f"the source `{source.source}` is not enabled", "/source/id")
        body: dict[str, Any] = {
            **_sender(send, visitor),
            "source": {"id": source.source},
            "events": [self._client_event(event) for event in _events(send)],
            "context": replace_placeholders(send.context, self._answered_id),
            "options": {"debugger": "all"},
        }
        intake = read_track(json.encode(body), profile_less=send.profile_less)
        self._sent = intake.events
        answer = (await self.tracker.track(intake, source)).body
        if intake.rejected:
            rejected = intake.rejected[0]
            raise ImpossibleStep(f"an event is rejected: {rejected.reason} (at {rejected.at})")
        if not send.profile_less:
            visitor.answered_id = answer["profile"]["id"]
            stored = await self.store.session(source.source, _session(send)) if send.user is UNSET else None
            visitor.acting_id = (stored.profile if stored is not None else None) or visitor.answered_id
        return answer

    def _client_event(self, event: Event) -> dict[str, Any]:
        """Return an event as its client sends it: the keys in the file, with profile ids in place of placeholders."""
        keys = {name: value for name, value in structs.asdict(event).items() if value is not UNSET}
        for name in ("properties", "context"):
            if name in keys:
                keys[name] = replace_placeholders(keys[name], self._answered_id)
        return keys

    def _answered_id(self, visitor: str) -> str | None:
        return self.visitors[visitor].answered_id

    async def _play(self, file: str) -> None:
        """Play the recorded requests of a file. Raises `ImpossibleStep` for one that is rejected."""
        for recorded in self._recorded[file]:
            played = await self.webhooks.play(recorded)
            if played.errors:
                raise ImpossibleStep(f"{file}, line {recorded.line}: an event is rejected: {played.errors[0]}")

    # ---- time and unmerging -----------------------------------------------------------------------------------------

    async def _advance(self, ms: int) -> None:
        """Let time pass. What is due meanwhile happens in its order, as on a server."""
        end = self.clock.now() + ms
        await self._wake_due(end)
        self.clock.advance(end - self.clock.now())
        await self.store.forget_marks(end - self.project.settings.window_ms)

    async def _wake_due(self, until: int) -> None:
        """Wake the profiles that are due until a time (ms), each at the time when it is due.

        Their waits end whose time has come, and their segments are evaluated.
        """
        for _ in range(MAX_WOKEN):
            due = await self.store.due(until, 1)
            profile = await self.store.profile(due[0]) if due else None
            if await self._fired(until if profile is None or profile.due is None else profile.due):
                continue
            if profile is None or profile.due is None:
                return
            self.clock.advance(max(0, profile.due - self.clock.now()))
            await wake(self.pipeline, profile.id, options=Options(debugger="all"))
        raise ImpossibleStep(f"segments are entered and left, and waits end, more than {MAX_WOKEN} times")

    async def _fired(self, until: int) -> bool:
        """Fire the scheduled flows whose start comes next, if that is before `until` (ms) or then."""
        start = await self.tasks.next_start()
        if start is None or start > until:
            return False
        self._firings += 1
        if self._firings > MAX_FIRINGS:
            raise ImpossibleStep(f"scheduled flows are fired more than {MAX_FIRINGS} times: advance by less")
        self.clock.advance(max(0, start - self.clock.now()))
        await self.tasks.fire_due()
        return True

    async def _unmerge(self, one: str, other: str) -> None:
        """Undo a link that joins two visitors: of all links that separate them when undone, the last one."""
        profile = await self._profile(one)
        own, others = self.visitors[one].acting_id, self.visitors[other].acting_id
        if profile is None or own is None or others is None or others not in profile.ids:
            raise ImpossibleStep(f"{one} and {other} are not one profile")
        for link in sorted(profile.links.values(), key=_time_and_id, reverse=True):
            rest = undo(Pool(profile.parts, profile.links), link.id, 1)
            if link.holds and others not in component(rest, own):
                await unmerge_served(self.pipeline, profile.id, link.id)
                return
        raise ImpossibleStep(f"several links join {one} and {other}: they stay one profile when one link is undone")

    # ---- the result -------------------------------------------------------------------------------------------------

    async def _result(self, sender: str | None, answer: dict[str, Any], refusal: Refusal | None) -> StepResult:
        profiles = {name: await self._profile(name) for name in self.visitors}
        event, event_profile_id = self._last_event(answer)
        if event is None and not answer:
            event, event_profile_id = self._last_stored_event()
        only = next(iter(self.visitors)) if len(self.visitors) == 1 else None
        profile = profiles.get(sender or only or "")
        if event_profile_id is not None and sender is not None and self.visitors[sender].answered_id is None:
            profile = await resolve_profile(self.store, event_profile_id)
        return StepResult(
            sender=sender or only,
            refusal=refusal,
            response=answer.get("response"),
            event=event,
            events=tuple(self.store.events),
            runs=tuple(self.store.runs),
            requests=tuple(self.mocks.requests),
            unmocked=tuple(self.mocks.unmocked),
            deliveries=tuple(self.store.deliveries),
            waits=await self._open_waits(),
            segment_changes=tuple(self.store.segment_changes),
            profiles=profiles,
            profile=profile,
            state=await self.tasks.state(self.home) if self.home is not None else None,
            withheld=answer.get("debugging", {}).get("withheld", ""),
        )

    def _last_event(self, answer: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
        """Return the last event of the payload as it is stored, with its disposition, and the id of its profile."""
        execution = answer.get("debugging", {}).get("execution", {})
        sent = {key: each for key, each in execution.items() if each["index"] is not None}
        if not sent:
            return None, None
        key = max(sent, key=lambda each: sent[each]["index"])
        own_id = next((event.id for event in self._sent if event.index == sent[key]["index"]), None)
        id = own_id or key  # the key is not the id if the payload contains the id twice
        stored = next((event for event in self.store.events if event.id == id), None)
        view = {"disposition": sent[key]["disposition"], "id": id, "type": sent[key].get("type")}
        if stored is None:
            return view, None
        names = ("origin", "properties", "context")
        return {**view, **{name: getattr(stored, name) for name in names}}, stored.profile

    def _last_stored_event(self) -> tuple[dict[str, Any] | None, str | None]:
        """Return the last event of a client that the step has stored, and the id of its profile."""
        stored = next((event for event in reversed(self.store.events) if event.origin == "client"), None)
        if stored is None:
            return None, None
        names = ("id", "type", "origin", "properties", "context")
        return {"disposition": "stored", **{name: getattr(stored, name) for name in names}}, stored.profile

    async def _open_waits(self) -> tuple[WaitStub, ...]:
        """Return all open waits: a profile with one is due some day."""
        profiles = [await self.store.profile(id) for id in await self.store.due(NEVER, MAX_WAITING)]
        stubs = [stub for profile in profiles if profile is not None for stub in profile.waits]
        return tuple(sorted(stubs, key=lambda stub: (stub.due, stub.began, stub.run)))

    async def _profile(self, visitor: str) -> Profile | None:
        id = self.visitors[visitor].acting_id
        return None if id is None else await resolve_profile(self.store, id)


def traced_project(project: Project) -> Project:
    """Return the project with a trace of every run, and with the debugger allowed for every source."""
    return structs.replace(
        project,
        flows=tuple([replace(flow, keep=1.0) for flow in project.flows]),
        sources={name: structs.replace(source, debugger=True) for name, source in project.sources.items()},
    )


def _sender(send: Send, visitor: Visitor) -> dict[str, Any]:
    """Return the members of a payload that say who sends it: visitor and user, or a session and the answered id."""
    if send.user is not UNSET:  # visitor and user decide, and Headrace generates the session
        return {"visitor": {"id": send.visitor}, "user": {"id": send.user}}
    profile = None if send.profile_less else visitor.answered_id
    return {"session": {"id": _session(send)}, "profile": {"id": profile}}


def _session(send: Send) -> str:
    return f"{send.visitor}-{send.session}"


def _events(send: Send) -> tuple[Event, ...]:
    if isinstance(send.events, tuple):
        return send.events
    assert not isinstance(send.type, UnsetType)  # noqa: S101  # the file was checked
    return (Event(type=send.type, id=send.id, time=send.time, properties=send.properties),)


def _time_and_id(link: Link) -> tuple[int, str]:
    return link.why.at if link.why is not None else 0, link.id
