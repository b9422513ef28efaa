"""Builders for the tests of flows: flows written as YAML, inputs, profiles, replies, and complete runs."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import yaml

from engine.flow.ask import HttpAsk, HttpReply, NoAnswer, Reply
from engine.flow.compile import compile_flow
from engine.flow.machine import Machine
from engine.flow.names import ProjectNames
from engine.flow.node import Node
from engine.flow.plan import Flow
from engine.flow.registry import Registry
from engine.flow.rendering import render
from engine.flow.run import Inputs, IssuedAsk
from engine.flow.trace import Trace
from engine.problem import Problem
from engine.profile.apply import apply_operations
from engine.profile.document import Profile, new_profile
from engine.profile.operations import Set
from nodes import builtin

NOW = 1_700_000_000_000
BUILTIN = builtin()
NAMES = ProjectNames(
    segments=frozenset({"vip", "late", "rich"}),
    manual_segments=frozenset({"vip", "late"}),
    targets=frozenset({"crm"}),
    sources=frozenset({"shop"}),
)

Answers = Mapping[str, Reply | Sequence[Reply]]


def document(text: str) -> Any:
    """The document of `text`. A text without the keys of a flow is a map of nodes, and gets a name and a trigger."""
    loaded = yaml.safe_load(text)
    if isinstance(loaded, dict) and not {"flow", "nodes", "trigger"} & set(loaded):
        return {"flow": "tested", "trigger": {"event": "paid"}, "nodes": loaded}
    return loaded


def compiled(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> tuple[Flow | None, list[Problem]]:
    """The flow (None with errors) and its problems, compiled with the built-in node types and `types`."""
    registry = Registry([*BUILTIN, *types]) if types else BUILTIN
    return compile_flow(document(text) if isinstance(text, str) else text, NAMES, registry)


def flow(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> Flow:
    """The flow of `text`. Fails when it has errors."""
    flow, problems = compiled(text, types)
    assert flow is not None, problems
    return flow


def problems_of(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> list[tuple[str, str]]:
    """The code and the dotted key path of each problem of a flow."""
    return [(problem.code, ".".join(map(str, problem.path))) for problem in compiled(text, types)[1]]


def warnings_of(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> list[str]:
    """The codes of the warnings of a flow. Fails when it has errors."""
    flow, problems = compiled(text, types)
    assert flow is not None, problems
    return [problem.code for problem in problems]


def stored_profile(id: str = "p-ann", values: Mapping[str, Any] | None = None, created: int = NOW - 1_000) -> Profile:
    """A stored profile with `values` by dotted path."""
    operations = [Set(tuple(path.split(".")), value) for path, value in (values or {}).items()]
    return apply_operations(new_profile(id, created), id, operations, created)[0]


def inputs(properties: Mapping[str, Any] | None = None, profile: Profile | None = None, **more: Any) -> Inputs:
    """The inputs of a run: an event `paid` of the source `shop`. `more` are further fields of `Inputs`."""
    event = {"id": "e-1", "type": "paid", "properties": dict(properties or {}), "context": {}}
    source = {"id": "shop", "kind": "public", "consent": False}
    others: dict[str, Any] = {"session": None, "seed": "new-", "acting_id": profile.id if profile else None, **more}
    return Inputs(event=event, source=source, profile=profile, now=NOW, **others)


def run(
    flow: Flow,
    properties: Mapping[str, Any] | None = None,
    *,
    profile: Profile | None = None,
    answers: Answers | None = None,
    **more: Any,
) -> Machine:
    """A run, driven to its end. `answers` are by node id, in the order of its asks; other asks get no answer."""
    machine = Machine(flow, inputs(properties, profile, **more), trace=Trace(step_clock()))
    return drive(machine, answers)


def drive(machine: Machine, answers: Answers | None = None) -> Machine:
    """Answer the asks of a machine until it is over, one at a time."""
    left = {id: list(a) if isinstance(a, Sequence) else [a] for id, a in (answers or {}).items()}
    asks = machine.advance_fully() or machine.outstanding()
    while asks:
        first, *others = asks
        replies = left.get(first.id)
        machine.reply(first.node, replies.pop(0) if replies else no_answer())
        asks = [*others, *machine.advance_fully()] if not machine.over else []
    assert machine.over
    return machine


def answer(body: Any = None, status: int = 200, took_ms: int = 10) -> HttpReply:
    """A response of a target."""
    return HttpReply(status, body, "https://crm.example/", took_ms)


def no_answer(took_ms: int = 10, *, retriable: bool = True) -> NoAnswer:
    """A reply that says that there is no answer."""
    return NoAnswer("timeout", "it took too long", retriable, took_ms=took_ms)


def http(asked: IssuedAsk) -> HttpAsk:
    """The ask, which is an HTTP request."""
    assert isinstance(asked.ask, HttpAsk)
    return asked.ask


def step_clock() -> Any:
    """A clock that advances by a microsecond at each call."""
    ticks = count()
    return lambda: next(ticks) / 1e6


def ports(machine: Machine) -> dict[str, str]:
    """The port by which each settled node left, in the order of settling."""
    return {machine.flow.nodes[index].id: settled.port for index, settled in machine.settled.items()}


def out(machine: Machine, id: str) -> Any:
    """A node's output."""
    return machine.settled[machine.flow.indexes[id]].out


def reason_of(machine: Machine, id: str) -> str:
    """The reason of a node's outcome."""
    return machine.settled[machine.flow.indexes[id]].reason


def traits(machine: Machine) -> Any:
    """The profile's traits at the end of the run."""
    return machine.final_state().scope["profile"]["traits"]


def trace_of(machine: Machine) -> dict[str, Any]:
    """The run's trace as a document."""
    assert machine.trace is not None
    return render(machine.trace, machine)


def step_of(machine: Machine, id: str) -> dict[str, Any]:
    """The step of one node in the trace."""
    step: dict[str, Any] = next(step for step in trace_of(machine)["steps"] if step["node"] == id)
    return step
