"""The part of a unit run that has to do with waits: runs that pause, are resumed or ended, and events that arrive.

`UnitRun` is the only subclass; it runs the events.
"""

from collections.abc import Callable, Generator
from typing import Any

import msgspec

from engine.flow.consents import missing_consent
from engine.flow.machine import Machine
from engine.flow.paused import OtherFlow, put_away
from engine.flow.plan import Flow
from engine.flow.rendering import cut_all
from engine.flow.run import Inputs
from engine.flow.run_state import RunState
from engine.flow.trace import Trace
from engine.profile.document import WaitStub
from engine.project.project import Project
from engine.tracking.unit.effects import FlowResult, UnitContext, UnitEffects, run_id
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.membership import Membership
from engine.tracking.unit.pending import AnyPending, AskedWaits, Pending, PendingRun
from engine.tracking.unit.resumed import Resumed
from engine.tracking.unit.run_counter import RunKey
from engine.tracking.unit.triggers import Triggers
from engine.tracking.unit.waiting import LOST, arrival_of, begun_wait, cannot_wait, continued, traced_wait
from engine.tracking.unit.waits import StoredWait, UnitWaits


class WaitingRuns:
    """See the module. All but the methods here belongs to `UnitRun`."""

    triggers: Triggers
    project: Project
    context: UnitContext
    ticks: Callable[[], float]
    membership: Membership
    inputs: Inputs
    state: RunState
    effects: UnitEffects
    _runs: int
    _resuming: UnitEvent | None = None  # the event of the run that the unit resumes

    def _take(self, machine: Machine, event: UnitEvent, children: list[UnitEvent]) -> str:
        raise NotImplementedError

    def _record(self, machine: Machine, event: UnitEvent, trace: Trace | None) -> None:
        raise NotImplementedError

    def _note_profiles_read(self, machine: Machine) -> None:
        raise NotImplementedError

    @property
    def waits(self) -> UnitWaits:
        """The changes of the unit in the waits of its profile."""
        if self.effects.waits is None:
            self.effects.waits = UnitWaits(max(self.context.now, self.membership.at))
        return self.effects.waits

    def _waiting_run(self, flow: Flow) -> WaitStub | None:
        """Return the first open wait of a flow, if there is any."""
        profile = self.state.profile
        if profile is None or not (profile.waits or self.effects.waits is not None):
            return None
        return next((stub for stub in self.waits.open(profile) if stub.flow == flow.name), None)

    def _refuse_waits(self, machine: Machine, event: UnitEvent) -> Pending:
        """Let a paused run go on whose nodes may not wait, until it is over or may."""
        while machine.paused and (reason := cannot_wait(machine, self.state, self.waits)):
            asked = machine.refuse_waits(reason)
            if asked or machine.resting:
                yield PendingRun(machine, asked, f"{event.origin}:{event.key}")
                self._note_profiles_read(machine)

    def _with_wait(
        self, machine: Machine, event: UnitEvent, trace: dict[str, Any] | None, others: tuple[str, ...]
    ) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """Begin the wait of a run that pauses. Returns the trace of a run that pauses or was resumed, with its waits.

        Returns also the ids of all profiles whose data the run has read since it began.
        """
        resumed = self.context.resumed if event is self._resuming else None
        run = run_id(event.id, machine.flow.name, machine.flow.version, self.context.seed), 1
        if resumed is not None and resumed.record is not None:
            run = resumed.stub.run, resumed.stub.n + 1
            earlier = resumed.arrival.other_profiles if resumed.arrival is not None else ()
            others = tuple(dict.fromkeys([*resumed.record.other_profiles, *earlier, *others]))
        more: dict[str, Any] = {"run": run[0]}
        if machine.outcome is None:
            begun = begun_wait(machine, event, self.state, run, self.context.source.source, others)
            self.waits.begin(begun)
            self.membership.heard |= set(begun.stub.on)
            more = {"outcome": "paused", "waits": traced_wait(begun.stub, put_away(machine))}
        elif trace is not None and machine.outcome == "finished" and not self._keeps(machine.flow, event):
            trace = None
        return (trace if trace is None else {**trace, **more}), others

    def _keeps(self, flow: Flow, event: UnitEvent) -> bool:
        """Whether the trace of an uneventful run is kept."""
        asked = bool(self.context.debug) or self._traced(flow, event)
        return asked or self.triggers.is_kept("finished", event.id, flow.name)

    def _traced(self, flow: Flow, event: UnitEvent) -> bool:
        """Whether a switch of tracing means a run."""
        context = self.context
        if context.traced is None:
            return False
        session = context.session.id if context.session is not None else ""
        profile = self.state.profile
        ids = {context.acting_id, *(profile.ids if profile is not None else ())} - {None}
        names = {id for id in ids if id is not None}
        return any(switch.means(flow.name, event.type, session, names) for switch in context.traced)

    def _begin_with_waits(self, events: list[UnitEvent]) -> Generator[AnyPending, None, list[UnitEvent]]:
        """Begin a unit of a profile with open waits: end those that a merge has made too many. Returns all events."""
        profile, resumed = self.state.profile, self.context.resumed
        assert profile is not None  # noqa: S101  # the caller has checked it
        self.membership.heard |= {pattern for stub in profile.waits for pattern in stub.on}
        if resumed is not None:
            stub = resumed.stub_in(profile, self.waits.now)
            assert stub is not None  # noqa: S101  # the pipeline has checked it
            if resumed.postponed_to is not None:
                self.waits.postpone(stub, resumed.postponed_to)
                return events
            self.waits.end(stub, record=resumed.record is not None, arrival=resumed.arrival is not None)
            self._resuming = resumed.event()
            events = [self._resuming, *events]
        if len(profile.waits) > 1:
            for flow in self.project.flows:
                if flow.while_waiting in ("restart", "ignore"):
                    pending = self.waits.pending(profile, flow.name)
                    superseded = pending[:-1] if flow.while_waiting == "restart" else pending[1:]
                    yield from self._end_waits(superseded, "superseded: of runs that a merge has joined one goes on")
        return events

    def _end_others(self, machine: Machine, event: UnitEvent) -> Pending:
        """End the other runs of a flow that wait, since a new one has begun and has not failed."""
        profile = self.state.profile if machine.outcome != "failed" else None
        if profile is not None and (profile.waits or self.effects.waits is not None):
            pending = self.waits.pending(profile, machine.flow.name)
            yield from self._end_waits(pending, f"restarted by event {event.id}")

    def _end_waits(self, stubs: list[WaitStub], reason: str) -> Pending:
        """End pending waits as cancelled."""
        stored = yield from self._stored_waits(stubs)
        for stub in stubs:
            found = stored.get(stub.id)
            self.waits.end(stub, record=found is not None)
            if found is not None:
                self._end_run(stub, found, reason)

    def _end_run(self, stub: WaitStub, stored: StoredWait, reason: str) -> None:
        """Record that a run which has waited goes on no more."""
        record = stored.record
        event = Resumed(stub, record).event()
        trace = None
        if self.context.debug or self.triggers.is_kept("cancelled", event.id, stub.flow):
            trace = {"run": stub.run, "reason": reason}
        names = "cancelled", stub.id
        counted = RunKey(stub.flow, record.flow_version, "cancelled")
        result = FlowResult(event, stub.flow, record.flow_version, "cancelled", trace, record.other_profiles, names)
        self.effects.flows.append(msgspec.structs.replace(result, counted=counted))

    def _stored_waits(self, stubs: list[WaitStub]) -> Generator[AnyPending, None, dict[str, StoredWait]]:
        """Return the waiting runs of these stubs, by their ids; those that are lost are left out."""
        found = {stub.id: self.waits.begun[stub.id].stored for stub in stubs if stub.id in self.waits.begun}
        unknown = tuple([stub for stub in stubs if stub.id not in found])
        if unknown:
            asked = AskedWaits(unknown)
            yield asked
            found |= asked.found
        return found

    def _hear(self, event: UnitEvent) -> Pending:
        """Let an event arrive for the runs that wait for it."""
        profile = self.state.profile
        assert profile is not None  # noqa: S101  # the caller has checked it
        listening = self.waits.listening(profile, event)
        stored = (yield from self._stored_waits(listening)) if listening else {}
        for stub in listening:
            found = stored.get(stub.id)
            arrival = arrival_of(stub, found, event, self.inputs, self.state) if found is not None else None
            if found is None or arrival is None:
                continue
            self.waits.arrive(stub, arrival)
            self._runs += 1
            if self.context.debug:
                names = "arrived", stub.id
                result = FlowResult(event, stub.flow, found.record.flow_version, "arrived", {"resumed": stub.run})
                self.effects.flows.append(msgspec.structs.replace(result, names=names))

    def _resume(self, event: UnitEvent, children: list[UnitEvent]) -> Pending:
        """Run the next stretch of the run that the unit resumes."""
        resumed, flow = self.context.resumed, self.context.resumed.flow if self.context.resumed else None
        assert resumed is not None  # noqa: S101  # the caller has checked it
        if resumed.record is None or flow is None:
            self._end_resumed(event, resumed.outcome, {"reason": resumed.reason or LOST})
            return
        paused = resumed.paused()
        assert paused is not None  # noqa: S101  # its record is there
        self.state = self.state.with_scope({**self.state.scope, "event": paused.event, "nodes": {}})
        if flow.consents and (lacks := missing_consent(self.state, flow.consents)) is not None:
            values = {"expression": f"consents: {lacks.name}", "values": cut_all(lacks.read), "why": lacks.reason}
            self._end_resumed(event, "filtered", {"reason": values})
            return
        inputs, trace = msgspec.structs.replace(self.inputs, event=paused.event, flow=flow.name), Trace(self.ticks)
        try:
            machine = continued(resumed, flow, inputs, self.state.with_inputs(inputs), self.waits.now, trace)
        except OtherFlow as other:
            self._end_resumed(event, "failed", {"reason": str(other)})
            return
        asked = machine.advance()
        if asked or machine.resting:
            yield PendingRun(machine, asked, f"{event.origin}:{event.key}")
            self._note_profiles_read(machine)
        if machine.paused:
            yield from self._refuse_waits(machine, event)
        if machine.outcome != "failed" and (reason := self._take(machine, event, children)):
            machine.fail(reason)
        self._record(machine, event, trace)

    def _end_resumed(self, event: UnitEvent, outcome: str, trace: dict[str, Any]) -> None:
        """Record that the run which the unit resumes ends without running."""
        resumed = self.context.resumed
        assert resumed is not None  # noqa: S101  # the caller has checked it
        version = resumed.record.flow_version if resumed.record is not None else ""
        others = resumed.record.other_profiles if resumed.record is not None else ()
        trace = {"run": resumed.stub.run, **trace}
        counted = RunKey(resumed.stub.flow, version, outcome)
        result = FlowResult(event, resumed.stub.flow, version, outcome, trace, others, counted=counted)
        self.effects.flows.append(result)
