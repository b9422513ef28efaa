"""Runs that outlive a process, as functions on values: each takes a `Run` and returns the next one.

A `Run` can be encoded, stored and decoded between two calls. A run may only be continued by the flow of its version.
"""

from engine.flow.ask import Reply
from engine.flow.machine import Machine
from engine.flow.plan import Flow
from engine.flow.run import Inputs, IssuedAsk, Place, Run


def new_run(flow: Flow, inputs: Inputs) -> Run:
    """A run of which no node has run yet; `advance_run` starts it."""
    return Run(flow.name, flow.version, inputs)


def advance_run(flow: Flow, run: Run, reply: tuple[Place, Reply] | None = None) -> tuple[Run, list[IssuedAsk]]:
    """The next state of `run`, and the asks to perform now (`Machine.advance`).

    `reply` is the place of a waiting node and the reply to its ask. `run` itself is unchanged.
    """
    machine = Machine.from_run(flow, run)
    if reply is not None:
        machine.reply(*reply)
    asks = machine.advance_fully()
    return machine.to_run(), asks
