"""Recordings: the inputs of a run and the replies that it got, in order, so that it can run again.

A recorded reply is found again by its node, the number of the ask and what was asked; so a later version of the flow
gets the same answers as long as it asks the same. Headers of requests are no part of that: they may hold secrets.
"""

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from engine.flow.ask import HttpAsk, NoAnswer, Reply, WaitAsk
from engine.flow.machine import Machine
from engine.flow.plan import Flow
from engine.flow.run import Inputs, IssuedAsk, Place
from engine.flow.trace import Trace
from engine.profile.operations import Refused

MAX_BYTES: Final = 65_536  # of a recording, as JSON
MAX_UNIT_BYTES: Final = 4_194_304  # of the recordings that a unit makes, also of those that are too large
NOT_RECORDED: Final = "this was not asked when the run was recorded"

_encoder = msgspec.json.Encoder(order="deterministic")


class RecordedReply(Struct, frozen=True, omit_defaults=True):
    """A reply, and the ask that got it: the node with its turns, its number and attempt, and a hash of its content."""

    node: str
    asked: str
    reply: Reply
    number: int = 1
    attempt: int = 1


class RecordedRun(Struct, frozen=True, omit_defaults=True):
    """All that determines a run of a flow."""

    inputs: Inputs
    replies: tuple[RecordedReply, ...] = ()


class Replayed(Struct, frozen=True):
    """A run that has run again. `unrecorded` are the nodes that asked what the recording has no reply to."""

    machine: Machine
    trace: Trace
    unrecorded: tuple[str, ...] = ()


def record_run(machine: Machine) -> RecordedRun | None:
    """Return the recording of a run; None if it has waited, or if its unit had joined profiles before it.

    Such a run began from more than its inputs.
    """
    state = machine.first_state
    if machine.has_waited or state.pool is not None:
        return None
    inputs = structs.replace(
        machine.inputs,
        profile=state.profile,
        earlier_operations=state.operations,
        acting_id=state.acting_id,
        session=state.scope["session"],
        event=state.scope["event"],
        task_state=machine.inputs.task_state,
    )
    return RecordedRun(inputs, _recorded_replies(machine) if machine.replies else ())


def encoded_recording(machine: Machine) -> tuple[bytes | None, int]:
    """Return the recording of a run as JSON, and its size in bytes; None if it has none, or one that is too large."""
    recorded = record_run(machine)
    if recorded is None:
        return None, 0
    encoded = _encoder.encode(recorded)
    return (encoded if len(encoded) <= MAX_BYTES else None), len(encoded)


def decoded_recording(text: bytes | msgspec.Raw | msgspec.UnsetType) -> RecordedRun | None:
    """Return a recording from its JSON; None if there is none. Raises `msgspec.DecodeError`."""
    return None if isinstance(text, msgspec.UnsetType) else msgspec.json.decode(text, type=RecordedRun)


def replay(flow: Flow, recorded: RecordedRun, hidden: dict[str, Any] | None = None) -> Replayed:
    """Run again with the recorded replies, in their order as far as the flow asks for them. Asks nothing of the world.

    `hidden` are entries of the scope that no recording has, such as the keys of the filter `hmac`.
    """
    trace = Trace(lambda: 0.0)
    machine = Machine(flow, structs.replace(recorded.inputs, flow=flow.name), None, trace)
    machine.first_state.scope.update(hidden or {})
    waiting: dict[Place, IssuedAsk] = {}
    replies = list(recorded.replies)
    unrecorded: list[str] = []
    while True:
        waiting |= {issued.node: issued for issued in machine.advance_fully()}
        if machine.over:
            break
        found = _next_reply(replies, waiting | _waits(machine))
        if found is not None:
            place, reply = found
        elif waiting:
            place = next(iter(waiting))
            unrecorded.append(waiting[place].id)
            reply = NoAnswer("limit", NOT_RECORDED, retriable=False)
        else:
            break  # it waits for time or an event
        waiting.pop(place, None)
        machine.reply(place, reply)
    if machine.outcome == "finished" and (reason := _unfit(machine)):
        machine.fail(reason)
    return Replayed(machine, trace, tuple(dict.fromkeys(unrecorded)))


def _unfit(machine: Machine) -> str:
    """Return why the effects of a finished run cannot be taken together; empty if they can."""
    try:
        machine.final_state()
    except Refused as refused:
        return f"branches side by side do not fit together: {refused}"
    return ""


def _next_reply(replies: list[RecordedReply], waiting: dict[Place, IssuedAsk]) -> tuple[Place, Reply] | None:
    """Take the first recorded reply to one of the asks that wait."""
    if not waiting:
        return None
    asks = {(issued.id, _hash(issued), issued.number, issued.attempt): place for place, issued in waiting.items()}
    for i, recorded in enumerate(replies):
        place = asks.get((recorded.node, recorded.asked, recorded.number, recorded.attempt))
        if place is not None:
            del replies[i]
            return place, recorded.reply
    return None


def _recorded_replies(machine: Machine) -> tuple[RecordedReply, ...]:
    """Return the replies of a run with their asks, which it makes again."""
    again = Machine(machine.flow, machine.inputs, machine.first_state)
    asks = {issued.node: issued for issued in again.advance_fully()}
    recorded: list[RecordedReply] = []
    for place, reply in machine.replies:
        issued = asks.get(place) or _waits(again)[place]
        recorded.append(RecordedReply(issued.id, _hash(issued), reply, issued.number, issued.attempt))
        again.reply(place, reply)
        asks |= {each.node: each for each in again.advance_fully()}
    return tuple(recorded)


def _waits(machine: Machine) -> dict[Place, IssuedAsk]:
    """Return the waits of a run, which are never issued; each gets a reply at once if the run may not wait."""
    return {
        index: IssuedAsk(index, machine.flow.nodes[index].id, each.ask, each.number, each.attempt)
        for index, each in machine.waiting.items()
        if isinstance(each.ask, WaitAsk) and each.reply is None
    }


def _hash(issued: IssuedAsk) -> str:
    ask = structs.replace(issued.ask, headers={}) if isinstance(issued.ask, HttpAsk) else issued.ask
    return hashlib.sha256(type(ask).__name__.encode() + _encoder.encode(ask)).hexdigest()[:32]
