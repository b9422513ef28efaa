"""Paused runs as values: a run that waits is put away, and taken up again by a later unit, in any process.

The value has what the run has come to: its event, the outputs and ports of the nodes that have settled, and what waits.
It has neither profile nor session nor time, which are read when the run is taken up; nor effects, which belong to the
unit that has put it away. Nodes are named by their ids, since their order may be another one in a later version of the
compiler.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.flow.ask import WaitAsk, WaitReply
from engine.flow.machine import Machine
from engine.flow.plan import Flow
from engine.flow.run import Inputs, Run, Settled, Waiting
from engine.flow.run_state import RunState
from engine.flow.trace import Trace


class Taken(Struct, frozen=True, omit_defaults=True):
    """A node that has settled: it left by `port`, after the nodes `via`."""

    node: str
    port: str
    via: tuple[str, ...] = ()
    out: Any = None


class Wait(Struct, frozen=True, omit_defaults=True):
    """A node that waits, after the nodes `via`."""

    node: str
    ask: WaitAsk
    via: tuple[str, ...] = ()


class PausedRun(Struct, frozen=True, omit_defaults=True):
    """A run that waits. `event` is its event as flows see it; `settled` is in the order in which the nodes settled."""

    event: dict[str, Any]
    settled: tuple[Taken, ...] = ()
    waiting: tuple[Wait, ...] = ()

    @property
    def due(self) -> int:
        """The earliest moment (ms) at which it goes on."""
        return min(_until(wait) for wait in self.waiting)

    @property
    def on(self) -> tuple[str, ...]:
        """The patterns of all events for which it waits."""
        return tuple(dict.fromkeys([pattern for wait in self.waiting for pattern in wait.ask.on]))


class OtherFlow(Exception):
    """The flow has no such node, so the run is not one of this flow."""


def put_away(machine: Machine) -> PausedRun:
    """Return a paused run as a value. Raises `Refused` when the effects of parallel branches do not fit together."""
    nodes = machine.flow.nodes

    def ids(via: tuple[int, ...]) -> tuple[str, ...]:
        return tuple([nodes[index].id for index in via])

    waiting: list[Wait] = []
    for index, each in machine.waiting.items():
        assert isinstance(each.ask, WaitAsk)  # noqa: S101  # it is paused
        waiting.append(Wait(nodes[index].id, each.ask, ids(each.via)))
    settled = [Taken(nodes[i].id, each.port, ids(each.via), each.out) for i, each in machine.settled.items()]
    return PausedRun(machine.final_state().scope["event"], tuple(settled), tuple(waiting))


def take_up(flow: Flow, paused: PausedRun, inputs: Inputs, state: RunState, trace: Trace | None = None) -> Machine:
    """Return a machine that continues a paused run, from `state` on; `inputs` and `state` are those of now.

    Raises `OtherFlow` when the flow has not the nodes of the run.
    """
    try:
        index = flow.indexes
        settled = {
            index[one.node]: Settled(one.port, tuple([index[id] for id in one.via]), one.out) for one in paused.settled
        }
        waiting = {
            index[one.node]: Waiting(one.ask, tuple([index[id] for id in one.via]), due=False) for one in paused.waiting
        }
    except KeyError as missing:
        raise OtherFlow(f"the flow has no node {missing}") from None
    return Machine.from_run(flow, Run(flow.name, flow.version, inputs, settled, waiting), trace, state)


def hearing(machine: Machine, awaited: dict[str, Any], fits: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the ids of the nodes of a paused run that wait for this event (as flows see it).

    `fits` says for each pattern whether the type of the event matches it.
    """
    return tuple(
        [
            machine.flow.nodes[index].id
            for index, each in machine.waiting.items()
            if isinstance(each.ask, WaitAsk)
            and any(fits[pattern] for pattern in each.ask.on)
            and machine.hears(index, awaited)
        ]
    )


def wake(machine: Machine, now: int, awaited: dict[str, Any] | None = None, heard_by: tuple[str, ...] = ()) -> None:
    """Hand in the replies that a paused run has waited for; `advance` afterwards.

    `awaited` is the event that has arrived, for the nodes `heard_by`. The others go on whose time has come at `now`.
    """
    for index, each in list(machine.waiting.items()):
        if not isinstance(each.ask, WaitAsk):
            continue
        if awaited is not None and machine.flow.nodes[index].id in heard_by:
            machine.reply(index, WaitReply(awaited))
        elif each.ask.until is not None and each.ask.until <= now:
            machine.reply(index, WaitReply())


def _until(wait: Wait) -> int:
    assert wait.ask.until is not None  # noqa: S101  # the machine has set it
    return wait.ask.until
