"""From runs that pause to waits, and from waits to the runs that go on. Pure."""

from typing import Any, Final

import msgspec
from msgspec import Raw, structs

from engine.flow.machine import Machine
from engine.flow.paused import OtherFlow, PausedRun, hearing, put_away, take_up, wake
from engine.flow.plan import Flow
from engine.flow.run import Inputs
from engine.flow.run_state import RunState
from engine.flow.trace import Trace
from engine.language.written_time import written_time
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.profile.document import WaitStub
from engine.profile.operations import Refused
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.resumed import Resumed
from engine.tracking.unit.waits import MAX_RUN, MAX_WAITS, BegunWait, StoredWait, UnitWaits, arrival_id, fits

NO_PROFILE: Final = "the event has no profile, and only runs of a profile wait"
TOO_MANY: Final = f"the profile has {MAX_WAITS} runs that wait, and it may have no more"
TOO_LARGE: Final = f"the run has more than {MAX_RUN} bytes of outputs, too many to be put away"
LOST: Final = "the run was lost or erased while it waited: it may have seen a person who was forgotten since"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PausedRun).decode


def cannot_wait(machine: Machine, state: RunState, waits: UnitWaits) -> str:
    """Return why a paused run may not wait; empty if it may. `state` is the unit's before the run."""
    try:
        profile = machine.final_state().profile
        if profile is None:
            return NO_PROFILE
        ends = machine.flow.name if machine.flow.while_waiting == "restart" else ""
        before = state.profile or profile
        if len(waits.open(before)) - len(waits.pending(before, ends)) >= MAX_WAITS:
            return TOO_MANY
        return TOO_LARGE if len(_encode(put_away(machine))) > MAX_RUN else ""
    except Refused:
        return ""  # branches that do not fit together: the run fails for that


def begun_wait(
    machine: Machine,
    event: UnitEvent,
    state: RunState,
    run: tuple[str, int],
    source: str,
    others: tuple[str, ...],
) -> BegunWait:
    """Return the wait of a paused run whose effects have been taken over into `state`; `run` is its name and count."""
    assert state.profile is not None  # noqa: S101  # else it may not wait
    paused, flow, now = put_away(machine), machine.flow, machine.inputs.now
    acting_id, session = state.acting_id or state.profile.id, state.scope["session"]
    stub = WaitStub(*run, flow=flow.name, of=acting_id, began=now, due=paused.due, on=paused.on)
    record = WaitingRun(
        id=stub.id,
        flow=flow.name,
        flow_version=flow.version,
        at=now,
        source=source,
        event=event.id,
        profile=acting_id,
        depth=event.depth,
        due=stub.due,
        on=stub.on,
        save=event.save,
        session=session["id"] if session else None,
        other_profiles=others,
        run=Raw(_encode(paused)),
    )
    return BegunWait(stub, StoredWait(record, flow), event.key)


def continued(resumed: Resumed, flow: Flow, inputs: Inputs, state: RunState, at: int, trace: Trace) -> Machine:
    """Return the machine of a run that goes on at `at` (ms). Raises `OtherFlow`.

    `inputs` and `state` are those of its unit, with the run's event.
    """
    paused = resumed.paused()
    assert paused is not None  # noqa: S101  # its record is there
    machine = take_up(flow, paused, inputs, state, trace)
    arrival = resumed.arrival
    if arrival is None:
        wake(machine, at)
    else:
        wake(machine, at, msgspec.json.decode(arrival.awaited), arrival.heard_by)
    return machine


def arrival_of(stub: WaitStub, stored: StoredWait, event: UnitEvent, inputs: Inputs, state: RunState) -> Arrival | None:
    """Return the record of an event for which a run waits; None if its condition does not hold.

    `state` is the unit's, whose event it is.
    """
    if stored.flow is None:
        return None
    paused, awaited = _decode(stored.record.run), state.scope["event"]
    scope = {**state.scope, "event": paused.event, "nodes": {}, "session": None, "source": None}
    try:
        own = structs.replace(inputs, event=paused.event, flow=stored.flow.name)
        machine = take_up(stored.flow, paused, own, state.with_scope(scope))
    except OtherFlow:
        return None
    heard_by = hearing(machine, awaited, fits(stub.on, event))
    if not heard_by:
        return None
    session, sender = state.scope["session"], state.acting_id
    return Arrival(
        id=arrival_id(stub.id),
        at=inputs.now,
        source=state.scope["source"]["id"],
        profile=stub.of,
        event=event.id,
        session=session["id"] if session else None,
        other_profiles=() if sender in (None, stub.of) else (sender,),
        heard_by=heard_by,
        awaited=Raw(_encode(awaited)),
    )


def traced_wait(stub: WaitStub, paused: PausedRun) -> dict[str, Any]:
    """Return what the debugger says of a run that waits."""
    nodes = [wait.node for wait in paused.waiting]
    document: dict[str, Any] = {"node": nodes[0] if len(nodes) == 1 else nodes, "until": written_time(stub.due)}
    if stub.on:
        document["for"] = list(stub.on)
    return {**document, "run": stub.run}


def waits_since(stub: WaitStub) -> str:
    """Return since when a run waits, in words."""
    return f"a run of this flow waits since {written_time(stub.began)}"
