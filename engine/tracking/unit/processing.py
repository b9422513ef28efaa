"""Processing: the events of one unit run in order through the flows that they trigger. Pure: no I/O, no clock.

`UnitRun.run` yields each machine that has asked something or is resting; its driver answers until the machine is over,
and then resumes `run`. It yields None between two events, where its caller may do something else.

A unit that is run again is a new `UnitRun` on newer documents, with the same time, seed and ids.
"""

import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from engine.flow.consents import missing_consent
from engine.flow.effect import (
    Attach,
    AttachSession,
    CachePut,
    Deliver,
    Effect,
    Emit,
    HandOver,
    HoldKey,
    Log,
    Respond,
)
from engine.flow.machine import Machine
from engine.flow.output_limits import MAX_EMITTED, MAX_EMITTED_BYTES, UNMEASURED, emitted_bytes, outgrowth
from engine.flow.plan import Flow, tests_profile
from engine.flow.recording import MAX_UNIT_BYTES, encoded_recording
from engine.flow.rendering import cut_all, render, show_effect
from engine.flow.run import Inputs
from engine.flow.run_state import OPERATIONS, RunState, initial_state
from engine.flow.schedule import SCHEDULE_FIRED
from engine.flow.trace import Trace
from engine.language.hidden import HASH_KEYS
from engine.profile.consent import decision_operations
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.linking import CLAIMED, all_own, own_ids
from engine.profile.operations import Refused
from engine.profile.profile_view import metadata, profile_view
from engine.profile.visits import begun_by, record_visit
from engine.tracking.intake.consent import CONSENT_CHANGED, decisions_of
from engine.tracking.unit.compose import may_see_all
from engine.tracking.unit.effects import (
    FlowResult,
    GivenUp,
    RanEvent,
    RequestedDelivery,
    UnitContext,
    UnitEffects,
)
from engine.tracking.unit.event import MAX_DEPTH, UnitEvent, child_event, refused_view, session_view, source_view
from engine.tracking.unit.login import login_links
from engine.tracking.unit.membership import MAX_SEGMENT_EVENTS, Membership
from engine.tracking.unit.met_documents import MetDocuments
from engine.tracking.unit.pending import Pending, PendingRun
from engine.tracking.unit.profiles_read import profiles_read, proves
from engine.tracking.unit.quiet_flows import quiet_results
from engine.tracking.unit.run_about import about_run, run_key
from engine.tracking.unit.run_counter import RunKey
from engine.tracking.unit.scheduled import Firing, flows_of, not_fired, posted, still_fired
from engine.tracking.unit.triggers import Triggers
from engine.tracking.unit.waiting import waits_since
from engine.tracking.unit.waiting_runs import WaitingRuns

HANDED_OVER = "handed-over"  # the outcome of a run that was given up


class UnitRun(WaitingRuns):
    """Runs a unit's events. Once `run` is exhausted, `effects` holds all that the runs did."""

    _met: MetDocuments | None = None  # made for the first one
    _joined: tuple[str, ...] = ()  # ids that only claims join to the sender, whose data the run has read
    _given_up = False  # a run has handed the session over
    _recorded = 0  # bytes of recordings
    _unfit = ""  # why a scheduled flow does not run for the profile
    _place = -1  # of the client's event that is run, within the unit; -1 before the first one

    def __init__(self, triggers: Triggers, context: UnitContext, ticks: Callable[[], float]) -> None:
        self.triggers = triggers
        self.project = project = triggers.project
        self.context = context
        self.ticks = ticks
        self.membership = Membership(triggers, context.now, context.save)
        self._login = context.login
        profile, view = self._profile_at_start(context)
        self.inputs = Inputs(
            event={},
            session=session_view(context.session),
            source=source_view(context.source),
            profile=profile,
            now=context.now,
            seed=context.seed,
            acting_id=context.acting_id,
            identify=context.identify,
            fields=tuple(project.settings.fields.items()),
            keys=project.settings.keys,
            proven=context.proven,
            timezone=project.settings.timezone,
            outbox=project.settings.outbox,
            task_state=context.firing.state if context.firing is not None else None,
        )
        if context.full_targets:
            room = msgspec.structs.replace(self.inputs.outbox, full=context.full_targets)
            self.inputs = msgspec.structs.replace(self.inputs, outbox=room)
        state = initial_state(self.inputs, view)
        if project.settings.hash_keys:
            state.scope[HASH_KEYS] = project.settings.hash_keys
        if context.former is not None:
            state.begin_with(context.former)
        self.state = self.membership.updated(state, None)
        if context.firing is not None and context.firing.segment:
            self._fire(context.firing)
        self.effects = UnitEffects(context, self.membership, self.state)
        if context.given_up:
            self.effects.flows += context.given_up
        self._emitted = self._emitted_bytes = 0
        self._runs = 0
        self._begun = False

    def run(self, events: list[UnitEvent]) -> Pending:
        """Run `events` in order; each one's segment events and children run before the next."""
        queued = self.membership.queued_events
        if self.state.profile is not None and self.state.profile.waits:
            events = yield from self._begin_with_waits(events)
        for event in events:
            if queued and event.origin == "client":
                yield from self._run_with_consequences(queued.popleft())
            self._place += event.origin == "client"
            yield from self._run_with_consequences(event)
            if self._given_up:
                return
        if queued:
            yield from self._run_with_consequences(queued.popleft())
        self.effects.state = self.state

    def _run_with_consequences(self, first: UnitEvent) -> Pending:
        """Run an event, the queued segment events, and the children of all these.

        Segment events run in the order in which the segments were entered or left, before any child. This is a loop,
        since a unit may have more segment events than Python allows nested calls.
        """
        queued, stack = self.membership.queued_events, list[UnitEvent]()
        event: UnitEvent | None = first
        while event is not None:
            if self._begun:
                yield None
            self._begun = True
            children: list[UnitEvent] = []
            yield from self._event(event, children) if event is not self._resuming else self._resume(event, children)
            if self._given_up:
                return
            stack.extend(reversed(children))
            event = queued.popleft() if queued else stack.pop() if stack else None

    def _event(self, event: UnitEvent, children: list[UnitEvent]) -> Pending:
        """Run one event; adds those that it emits to `children`."""
        self._show(event)
        flows, quiet = self.triggers.by_type[event.type]
        if event.origin == "system":
            flows = self.triggers.of_system(event.type)
            if event.type == SCHEDULE_FIRED:
                flows, quiet = flows_of(self.project.flows, self.context.firing), ()
        again = self.context.again
        if again is not None and event.id == again.event:
            flows, quiet = tuple([flow for flow in flows if flow.name == again.flow]), ()
        before = self._runs
        if self._login is not None:
            self._log_in(event)
        if event.type == CONSENT_CHANGED and event.origin == "client" and not self.context.imported:
            self._decide(event)
        for flow in flows:
            yield from self._flow(flow, event, children)
            if self._given_up:
                return
        profile = self.state.profile
        if profile is not None and (profile.waits or self.effects.waits is not None) and not self.context.imported:
            yield from self._hear(event)
        if self.context.debug:
            listed = self.context.debug == "all" or len(quiet) == len(self.project.flows)
            self.effects.flows += quiet_results(event, quiet, listed=listed)
        if again is not None and event.id == again.event:
            return  # it is stored already
        if event.origin != "system" or self._runs > before:  # a system event that started nothing is nothing
            self.effects.events.append(RanEvent(event, self.state.scope["event"], self.state.acting_id))

    def _decide(self, event: UnitEvent) -> None:
        """Write the consents that the sender grants or revokes, before flows run on the event."""
        if self.state.profile is None:
            reason = {"expression": f"event.type == '{CONSENT_CHANGED}'", "values": {"profile": "no profile"}}
            self._record_decision(event, "filtered", {"reason": reason})
            return
        known = self.state.scope["profile"]["consents"]
        try:
            operations = tuple(decision_operations(known, decisions_of(event.properties), self.context.now))
            self.state = self.membership.updated(self.state.after("", None, operations), event)
        except Refused as refused:
            self._record_decision(event, "failed", {"reason": str(refused)})
        else:
            self._record_decision(event, "finished", {"operations": [show_effect(one) for one in operations]})

    def _log_in(self, event: UnitEvent) -> None:
        """Add the links that the sender brings: of its device to it, and of it to its user's key."""
        login, self._login = self._login, None
        assert login is not None  # noqa: S101  # the caller has checked it
        for document in (login.device, *[each.profile for each in (login.user, login.previous) if each]):
            self._meet(document)
        effects: list[Effect] = []
        reasons: list[str] = []
        for bring_link in login_links(login, self.project.settings.keys):
            try:
                done = bring_link(self.state)
                state = self.state.after("", None, tuple(done.effects))
                self.state = self.membership.updated(state, event, done.effects)
            except Refused as refused:
                reasons.append(str(refused))
            else:
                effects += done.effects
                reasons += [done.reason] if done.reason else []
        self.effects.held_keys.extend([effect for effect in effects if isinstance(effect, HoldKey)])
        trace: dict[str, Any] = {"operations": [show_effect(effect) for effect in effects]}
        if reasons:
            trace["reason"] = "; ".join(reasons)
        self._record_decision(event, "finished", trace)

    def _record_decision(self, event: UnitEvent, outcome: str, trace: dict[str, Any]) -> None:
        if self.context.debug:
            self.effects.flows.append(FlowResult(event, "", "", outcome, trace))

    def _show(self, event: UnitEvent) -> None:
        view = event.view(self.context.now)
        if event.refused:
            view["refused"] = refused_view(event)
            self.effects.refused = True
        scope = {**self.state.scope, "event": view, "nodes": {}}
        self.state = self.state.with_scope(scope)

    # ---- one flow for one event -------------------------------------------------------------------------------------

    def _flow(self, flow: Flow, event: UnitEvent, children: list[UnitEvent]) -> Pending:
        joint = self.context.identify != "trust" and not self._is_alone(self.state.profile)
        self._joined = ()
        if joint and (flow.consents or tests_profile(flow.trigger.when)):
            self._note_joint()
        no = self._not_run(flow)
        if no is not None and self.context.debug:
            self._record_not_run(flow, event, *no)
        if no is not None:
            return
        self._runs += 1
        kept = bool(self.context.debug) or self.context.again is not None or self._sampled(event, flow)
        trace = Trace(self.ticks) if kept or flow.has_loops else None  # to repeat a long loop would hold up others
        before = self.state
        state = before if flow.profile != "none" else self._without_profile()
        inputs = msgspec.structs.replace(self.inputs, event=state.scope["event"], flow=flow.name)
        if self.context.handed_over and self._place <= 0:
            inputs = msgspec.structs.replace(inputs, handed_over=True)
        machine = Machine(flow, inputs, state.with_inputs(inputs), trace)
        asked = machine.advance()
        if asked or machine.resting:
            yield PendingRun(machine, asked, f"{event.origin}:{event.key}")
            self._note_profiles_read(machine)
        if machine.outcome is None and machine.paused:
            yield from self._refuse_waits(machine, event)
        if joint:
            self._note_joint_reads(machine)
        if machine.outcome == "finished" and (to := machine.hand_over) is not None:
            self._give_up(machine, event, trace if kept else None, to)
            return
        if machine.outcome != "failed" and (reason := self._take(machine, event, children)):
            machine.fail(reason)
        if machine.outcome == "finished" and flow.profile == "none":
            self._keep_profile(before)
        if flow.while_waiting == "restart":
            yield from self._end_others(machine, event)
        self._record(machine, event, trace if kept else None)

    def _give_up(self, machine: Machine, event: UnitEvent, trace: Trace | None, to: HandOver) -> None:
        """End the unit's runs: its caller runs it again without this event, and this one as another person's."""
        self._record(machine, event, trace)
        result = self.effects.flows[-1]
        kept = result.trace and {**result.trace, "outcome": HANDED_OVER}
        profile = self.state.profile  # the record of the run belongs to the other person, so this one is foreign to it
        others = result.other_profiles if profile is None else (profile.id, *result.other_profiles)
        counted = result.counted and msgspec.structs.replace(result.counted, outcome=HANDED_OVER)
        result = msgspec.structs.replace(
            result, outcome=HANDED_OVER, trace=kept, other_profiles=others, counted=counted
        )
        self._given_up = True
        open_to_all = may_see_all(self.effects, profile)
        self.effects.given_up = GivenUp(self._place, to, (result,), open_to_all)

    def _note_profiles_read(self, machine: Machine) -> None:
        """Note which profiles the run, whatever its outcome, has read, and whether one is not the sender's own."""
        own = self.context.profile.ids if self.context.profile is not None else ()
        for place, profile in profiles_read(machine):
            self._meet(profile)
            strange = set(profile.ids).isdisjoint(own) and not proves(machine, place, profile)
            self.effects.foreign = self.effects.foreign or strange

    def _is_alone(self, profile: Profile | None) -> bool:
        """Whether no claim joins the sender to others in its profile."""
        return profile is None or not profile.links or all_own(profile, self.state.acting_id or profile.id)

    def _note_joint_reads(self, machine: Machine) -> None:
        """Note that a run has read a joint profile, if it has."""
        if not all(self._is_alone(profile) for profile in machine.profiles_read()):
            self._note_joint()

    def _note_joint(self) -> None:
        """Note that a run has read a profile to which claims join others: also if they are set apart later."""
        profile = self.state.profile
        assert profile is not None  # noqa: S101  # the callers have checked it
        own = own_ids(profile, self.state.acting_id or profile.id)
        self._joined = tuple([id for id in profile.ids if id not in own])
        self.effects.foreign = True

    def _meet(self, document: Profile | None) -> None:
        """Note that a document was read. Raises `Conflict` if it was read at another version before."""
        self._met = self._met or MetDocuments(self.context.profile)
        self._met.add(document)

    def _sampled(self, event: UnitEvent, flow: Flow) -> bool:
        """Whether the trace of a run is kept even if its sender has not asked for it and nothing fails."""
        if self.context.traced is not None and self._traced(flow, event):
            return True
        share = self.triggers.kept_shares[flow.name]
        return share > 0 and zlib.crc32(f"{event.id}{flow.name}".encode()) % 10_000 < share * 10_000

    def _not_run(self, flow: Flow) -> tuple[str, dict[str, Any]] | None:
        """Return the outcome and the reason if `flow` is not run although the event's type matches."""
        trigger, scope = flow.trigger, self.state.scope
        if self._unfit and trigger.schedule is not None:
            return "filtered", {"expression": f"for: segment {trigger.schedule.segment}", "why": self._unfit}
        if trigger.sources and not trigger.matches_source(self.context.source.source):
            patterns = ", ".join(trigger.sources)
            values = {"source.id": self.context.source.source}
            return "not-triggered", {"expression": f"source.id matches {patterns}", "values": values}
        if trigger.when is not None and not trigger.when.test(scope):
            said = trigger.when.explain(scope)
            return "not-triggered", {"expression": trigger.when.source, "values": cut_all(said.values), "result": False}
        if flow.profile == "required" and self.state.profile is None:
            return "filtered", {"expression": "profile: required", "values": {"profile": "no profile"}}
        if flow.while_waiting == "ignore" and (waiting := self._waiting_run(flow)) is not None:
            return "filtered", {"expression": "while_waiting: ignore", "values": {}, "why": waits_since(waiting)}
        if flow.consents and (lacks := missing_consent(self.state, flow.consents)) is not None:
            return "filtered", {
                "expression": f"consents: {lacks.name}",
                "values": cut_all(lacks.read),
                "why": lacks.reason,
            }
        return None

    def _record_not_run(self, flow: Flow, event: UnitEvent, outcome: str, reason: dict[str, Any]) -> None:
        trace = {"reason": reason}
        self.effects.flows.append(FlowResult(event, flow.name, flow.version, outcome, trace, self._joined))

    def _without_profile(self) -> RunState:
        return RunState(self.inputs, {**self.state.scope, "profile": None}, None)

    def _keep_profile(self, before: RunState) -> None:
        self.state = before.with_scope({**self.state.scope, "profile": before.scope["profile"]})

    def _take(self, machine: Machine, event: UnitEvent, children: list[UnitEvent]) -> str:
        """Take over everything that a finished run did. Returns the reason if nothing of it can be taken, else ""."""
        membership = self.membership
        try:
            final = machine.final_state()
        except Refused as refused:
            return f"branches side by side do not fit together: {refused}"
        effects = list(machine.effects())
        changed = final.operations is not self.state.operations or final.profile is not self.state.profile
        final = final.with_scope({**final.scope, "nodes": {}})
        if self.state.profile is None and final.profile is not None:
            final.profile = membership.with_current_standing(final.profile, effects)
        if self.context.weighed and (reason := outgrowth(self.state.scope["profile"], final.scope["profile"])):
            return reason
        segment_events: list[UnitEvent] = []
        if changed:
            final, segment_events = membership.after_run(final, event, effects)
        if segment_events and membership.in_a_circle(event, segment_events):
            return f"segments entered and left in a circle: at most {MAX_SEGMENT_EVENTS} in a unit, {MAX_DEPTH} deep"
        emits = [(node, effect) for node, effect in effects if isinstance(effect, Emit)]
        if emits:
            if reason := self._excess(event, [emit for _, emit in emits]):
                return reason
            self._emitted += len(emits)
            children.extend(self._emit(machine.flow, event, emits))
        for node, effect in effects:
            if type(effect) not in OPERATIONS:  # those are in the state already
                self._keep(machine, event, node, effect)
        if machine.outbox is not self.inputs.outbox:
            self._deliver(machine, event, [(node, one) for node, one in effects if isinstance(one, Deliver)])
        self.state = final
        if changed:
            membership.queue_events(final, segment_events)
        return ""

    def _emit(self, flow: Flow, event: UnitEvent, emits: list[tuple[str, Emit]]) -> list[UnitEvent]:
        """Return the events that a run emits; those of a scheduled flow are deliveries, each a unit of its own."""
        if self.inputs.task_state is None:
            return [
                child_event(event, flow.name, at, i, emit.type, emit.properties) for i, (at, emit) in enumerate(emits)
            ]
        for i, (at, delivery) in enumerate(posted(emits, event.depth)):
            self.effects.deliveries.append(RequestedDelivery(delivery, event, flow.name, flow.version, at, i))
        return []

    def _excess(self, event: UnitEvent, emits: list[Emit]) -> str:
        """Return the limit that a run would exceed by emitting these events, in words; empty if it exceeds none."""
        if event.depth >= MAX_DEPTH:
            return f"events emit events more than {MAX_DEPTH} deep: for each item of a list, write one `each`"
        count = self._emitted + len(emits)
        if count > MAX_EMITTED:
            return f"the runs of the unit emit more than {MAX_EMITTED:,} events"
        if count > UNMEASURED:
            left = MAX_EMITTED_BYTES - self._emitted_bytes
            size = emitted_bytes([emit.properties for emit in emits], left)
            if size > left:
                return f"the events that the runs of the unit emit have more than {MAX_EMITTED_BYTES:,} bytes"
            self._emitted_bytes += size
        return ""

    def _keep(self, machine: Machine, event: UnitEvent, node: str, effect: Effect) -> None:
        """Keep an effect that does not change the state."""
        match effect:
            case Respond():
                self.effects.response.update(effect.values)
            case Log():
                where = {"flow": machine.flow.name, "node": node, "event": event.id}
                self.effects.logs.append({"level": effect.level, "message": effect.message, **where})
            case HoldKey() if self._may_lead(effect):
                self.effects.held_keys.append(effect)
            case Attach() if self.effects.attached is None and self.context.profile is None:
                self.effects.attached = effect.profile
            case AttachSession():
                self.effects.session_attached = effect
            case CachePut():
                self.effects.cache.append(effect)
            case _:
                pass

    def _deliver(self, machine: Machine, event: UnitEvent, deliveries: list[tuple[str, Deliver]]) -> None:
        """Keep the deliveries of a run: they are written with the unit, and take from its room in the outbox."""
        self.inputs = msgspec.structs.replace(self.inputs, outbox=machine.outbox)
        others = tuple(dict.fromkeys([*[profile.id for _, profile in profiles_read(machine)], *self._joined]))
        numbers = Counter[str]()
        for node, effect in deliveries:
            requested = RequestedDelivery(
                effect, event, machine.flow.name, machine.flow.version, node, numbers[node], others
            )
            numbers[node] += 1
            self.effects.deliveries.append(requested)

    def _may_lead(self, key: HoldKey) -> bool:
        """Whether a key may lead to the unit's profile: where a source may not identify, only one that was proven."""
        return self.context.identify != "refuse" or not key.name.startswith(CLAIMED)

    def _profile_at_start(self, context: UnitContext) -> tuple[Profile | None, dict[str, Any] | None]:
        """Return the profile that the unit starts with, and its view, as they are now that an event has come."""
        profile, rules = context.profile, self.project.settings.fields
        if profile is None:
            return None, None
        before = context.view or profile_view(profile, fold(profile, rules))
        profile = self.membership.begin(profile, before)
        if context.has_events and context.acting_id is not None:
            if not context.imported:
                profile = record_visit(profile, context.acting_id, context.now, context.visit)
            if context.earliest is not None:
                profile = begun_by(profile, context.acting_id, context.earliest)
        view = before.copy()
        view["metadata"] = metadata(profile)
        return profile, view

    def _fire(self, firing: Firing) -> None:
        """Note in the profile that it has had a firing for its segment, unless it is not to have it."""
        profile, view = self.state.profile, self.state.scope["profile"]
        self._unfit = not_fired(firing, profile, view["segments"] if view is not None else ())
        if profile is not None and not self._unfit:
            self.state = self.state.with_scope(self.state.scope)
            fired = {**still_fired(profile.fired, self.project.flows, firing.due), firing.task: firing.due}
            self.state.profile = msgspec.structs.replace(profile, fired=fired)

    # ---- results ----------------------------------------------------------------------------------------------------

    def _record(self, machine: Machine, event: UnitEvent, trace: Trace | None) -> None:
        """Record a run. `trace` is None if it is to be kept only when the run has failed or waits."""
        flow, outcome, keeps = machine.flow, machine.outcome or "paused", True
        if machine.outcome is None:
            keeps = trace is not None or self.triggers.is_kept(outcome, event.id, flow.name)
        if trace is None and (
            machine.notable
            or machine.outcome == "failed"
            or (machine.outcome is None and keeps)
            or (machine.replies and machine.could_not_identify())
        ):
            trace = machine.trace
            if trace is None:
                trace = Trace(self.ticks)
                machine = machine.replay(trace)
        document = render(trace, machine) if trace is not None else None
        others = tuple(dict.fromkeys([profile.id for _, profile in profiles_read(machine)])) if machine.replies else ()
        others = tuple(dict.fromkeys((*others, *self._joined))) if self._joined else others
        if machine.outcome is None or event is self._resuming:
            document, others = self._with_wait(machine, event, document, others)
        if machine.notable or machine.earlier or outcome == "failed":
            key = run_key(machine, outcome)
        else:
            key = RunKey(flow.name, flow.version, outcome, tuple(machine.left_by))
        about = recording = None
        if document is not None:
            if self._recorded < MAX_UNIT_BYTES:
                recording, size = encoded_recording(machine)
                self._recorded += size
            debugged = bool(self.context.debug) or self._traced(flow, event)
            about = about_run(machine, key, debugged, self.triggers.kept_share(outcome, flow.name))
        self.effects.flows.append(
            FlowResult(
                event, flow.name, flow.version, outcome, document, others, counted=key, about=about, recording=recording
            )
        )
