"""Measures the engine alone: microseconds for a run of six nodes, without and with its full trace."""

import time
from pathlib import Path
from timeit import repeat

import nodes
from engine.flow.machine import Machine
from engine.flow.rendering import render
from engine.flow.run import Inputs
from engine.flow.run_state import initial_state
from engine.flow.trace import Trace
from engine.profile.apply import apply_operations
from engine.profile.document import new_profile
from engine.profile.operations import Set
from flows.project import load_project

TRAITS = 30
RUNS = 5_000


def measure_engine() -> dict[str, float]:
    """Microseconds by kind: the best of several repetitions, because other programs disturb it least."""
    flow = load_project(Path(__file__).parent / "six", nodes.builtin()).project.flows[0]
    traits = [Set(("traits", f"trait{i}"), f"value {i}") for i in range(TRAITS)]
    profile, _ = apply_operations(new_profile("p-1", 1), "p-1", traits, 2)
    properties = {"order": "A-1", "total": 620, "tier": "gold", "currency": "EUR"}
    event = {"id": "e-1", "type": "order-completed", "properties": properties, "context": {}}
    inputs = Inputs(event, {"id": "s-1"}, {"id": "shop"}, profile, 3, "seed", acting_id="p-1")
    state = initial_state(inputs)

    def plain() -> None:
        machine = Machine(flow, inputs, state)
        machine.advance()
        machine.final_state()

    def traced() -> None:
        machine = Machine(flow, inputs, state, Trace(time.perf_counter))
        machine.advance()
        machine.final_state()

    def rendered() -> None:
        trace = Trace(time.perf_counter)
        machine = Machine(flow, inputs, state, trace)
        machine.advance()
        machine.final_state()
        render(trace, machine)

    plain()
    return {
        name: min(repeat(run, number=RUNS, repeat=7)) / RUNS * 1e6
        for name, run in (
            ("without trace", plain),
            ("with the full trace", traced),
            ("with the trace rendered as a document", rendered),
        )
    }
