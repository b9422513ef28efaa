"""What the tests of flows are built from: flows written as YAML, events, profiles, replies, and runs to their end."""

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
    """The document that `text` spells; when it is not a whole flow, it is the nodes of one."""
    loaded = yaml.safe_load(text)
    if isinstance(loaded, dict) and not {"flow", "nodes", "trigger"} & set(loaded):
        return {"flow": "tested", "trigger": {"event": "paid"}, "nodes": loaded}
    return loaded


def compiled(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> tuple[Flow | None, list[Problem]]:
    """What the compiler makes of a flow, with the built-in node types and `types`."""
    registry = Registry([*BUILTIN, *types]) if types else BUILTIN
    return compile_flow(document(text) if isinstance(text, str) else text, NAMES, registry)


def flow(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> Flow:
    """The flow that `text` spells; it has no errors."""
    flow, problems = compiled(text, types)
    assert flow is not None, problems
    return flow


def found(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> list[tuple[str, str]]:
    """The codes of all problems of a flow, each with its key path, dotted."""
    return [(problem.code, ".".join(map(str, problem.path))) for problem in compiled(text, types)[1]]


def warned(text: str | dict[str, Any], types: Iterable[type[Node]] = ()) -> list[str]:
    """The codes of a flow's warnings; it has no errors."""
    flow, problems = compiled(text, types)
    assert flow is not None, problems
    return [problem.code for problem in problems]


def person(id: str = "p-ann", values: Mapping[str, Any] | None = None, created: int = NOW - 1_000) -> Profile:
    """A stored profile with `values` by dotted path."""
    operations = [Set(tuple(path.split(".")), value) for path, value in (values or {}).items()]
    return apply_operations(new_profile(id, created), id, operations, created)[0]


def inputs(properties: Mapping[str, Any] | None = None, profile: Profile | None = None, **more: Any) -> Inputs:
    """What a run starts from: an event `paid` of the source `shop`."""
    event = {"id": "e-1", "type": "paid", "properties": dict(properties or {}), "context": {}}
    source = {"id": "shop", "kind": "public", "consent": False}
    given: dict[str, Any] = {"session": None, "seed": "new-", "acting_id": profile.id if profile else None, **more}
    return Inputs(event=event, source=source, profile=profile, now=NOW, **given)


def run(
    flow: Flow,
    properties: Mapping[str, Any] | None = None,
    *,
    profile: Profile | None = None,
    answers: Answers | None = None,
    **more: Any,
) -> Machine:
    """A run driven to its end. `answers` are by node id, in the order of its asks; else nobody answers."""
    machine = Machine(flow, inputs(properties, profile, **more), trace=Trace(ticking()))
    return drive(machine, answers)


def drive(machine: Machine, answers: Answers | None = None) -> Machine:
    """Answer what the machine asks until it is over, one ask at a time."""
    left = {id: [given] if not isinstance(given, Sequence) else list(given) for id, given in (answers or {}).items()}
    asked = machine.advance() or machine.outstanding()
    while asked:
        first, *others = asked
        replies = left.get(first.id)
        machine.reply(first.node, replies.pop(0) if replies else silence())
        asked = [*others, *machine.advance()] if not machine.over else []
    assert machine.over
    return machine


def answer(body: Any = None, status: int = 200, took_ms: int = 10) -> HttpReply:
    """A target's answer."""
    return HttpReply(status, body, "https://crm.example/", took_ms)


def silence(took_ms: int = 10, *, retriable: bool = True) -> NoAnswer:
    """That nobody answered."""
    return NoAnswer("timeout", "it took too long", retriable, took_ms=took_ms)


def http(asked: IssuedAsk) -> HttpAsk:
    """The request that was asked for."""
    assert isinstance(asked.ask, HttpAsk)
    return asked.ask


def ticking() -> Any:
    """A clock that goes on by a microsecond at each look."""
    ticks = count()
    return lambda: next(ticks) / 1e6


def ports(machine: Machine) -> dict[str, str]:
    """The port by which each settled node left, in the order of settling."""
    return {machine.flow.nodes[index].id: settled.port for index, settled in machine.settled.items()}


def out(machine: Machine, id: str) -> Any:
    """A node's output."""
    return machine.settled[machine.flow.indexes[id]].out


def why(machine: Machine, id: str) -> str:
    """The reason for which a node left as it did."""
    return machine.settled[machine.flow.indexes[id]].reason


def traits(machine: Machine) -> Any:
    """The profile's traits at the end of the run."""
    return machine.final_state().scope["profile"]["traits"]


def traced(machine: Machine) -> dict[str, Any]:
    """The run's trace as a document."""
    assert machine.trace is not None
    return render(machine.trace, machine)


def step_of(machine: Machine, id: str) -> dict[str, Any]:
    """One node's step in the trace."""
    step: dict[str, Any] = next(step for step in traced(machine)["steps"] if step["node"] == id)
    return step
