"""Rendering: a trace as the document that answers and stores hold: what each node did and why, cut to size."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.flow.config_template import EvaluatedExpression, evaluate_expression
from engine.flow.effect import Attach, AttachSession, CachePut, Effect, Emit, Log, Merge, Respond
from engine.flow.machine import Machine
from engine.flow.node import Hidden, Node, type_name
from engine.flow.plan import PlannedNode
from engine.flow.registry import field_notes, sole_field
from engine.flow.run import TracedCall
from engine.flow.trace import Trace, TracedStep
from engine.language.path import show_path
from engine.profile.operations import Refused

MAX_VALUE = 4_096  # bytes of one value in a rendered trace, as JSON
MAX_TEXT = 1_000  # characters of a message or reason
MAX_STEPS = 262_144  # bytes of all steps; those beyond say no more than how they left

_encoder = msgspec.json.Encoder()


def render(trace: Trace, machine: Machine) -> dict[str, Any]:
    """The trace as a document (JSON-like): outcome, steps in order, nodes that did not run and why."""
    document: dict[str, Any] = {
        "flow": machine.flow.name,
        "version": machine.flow.version[:16],
        "outcome": machine.outcome or "running",
        "duration_us": round((trace.ended - trace.began) * 1e6),
        "steps": _steps(machine, trace.steps),
        "not_run": not_run(machine),
    }
    if machine.reason:
        document["reason"] = cut_text(machine.reason)
    if machine.failed_at:
        document["failed_at"] = machine.failed_at
    return document


def not_run(machine: Machine) -> list[dict[str, str]]:
    """The nodes that did not run, each with the reason."""
    return [
        {"node": node.id, "why": _why_not(machine, node)}
        for node in machine.flow.nodes
        if node.index not in machine.settled
    ]


def _why_not(machine: Machine, node: PlannedNode) -> str:
    if node.index in machine.waiting:
        return "it waits for an answer"
    if node.index in machine.cancelled:
        return "it waited for an answer when the run ended"
    reasons = []
    for source, ports in node.ins:
        other = machine.flow.nodes[source]
        settled = machine.settled.get(source)
        if settled is None:
            reasons.append(f"{other.id} did not run")
        elif settled.port not in ports:
            wanted = " or ".join(port for port in other.ports if port in ports)
            reasons.append(f"{other.id} left by {settled.port}, not {wanted}")
    if machine.outcome == "failed" and not reasons:
        return f"the run failed at {machine.failed_at}"
    return "; ".join(reasons) or "the run had ended"


def _steps(machine: Machine, noted: list[TracedStep]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    size = 0
    for one in noted:
        step = _step(machine, one)
        length = len(_encoder.encode(step))
        size += length
        steps.append(step if size <= MAX_STEPS else {**_passed(one), "cut": length})
    return steps


def _passed(noted: TracedStep) -> dict[str, Any]:
    """The little that a trace always says of a step."""
    assert noted.outcome is not None  # noqa: S101
    node = noted.node
    us = round(noted.seconds * 1e6, 1)
    return {"node": node.id, "type": type_name(node.node), "line": node.line, "port": noted.outcome.port, "us": us}


def _step(machine: Machine, noted: TracedStep) -> dict[str, Any]:
    outcome = noted.outcome
    assert outcome is not None  # noqa: S101
    scope, guard = noted.scope, noted.node.when
    passed = scope is not None and outcome.port != "skipped"
    looked, read = noted.node.template.explain(scope) if scope is not None and passed else ((), {})
    before = [evaluate_expression(guard, scope)] if guard is not None and scope is not None else []
    step = _passed(noted) | _looked([*before, *looked])
    if read:
        step["read"] = cut_all(read)
    if noted.made is not None and not looked:
        step["in"] = _config(noted.made)
    if outcome.out is not None:
        step["out"] = cut(outcome.out)
    logs = [effect for effect in outcome.effects if isinstance(effect, Log)]
    lists = {
        "operations": [
            _joining(machine, noted.node.index, effect) if isinstance(effect, Merge) else show_effect(effect)
            for effect in outcome.effects
            if not isinstance(effect, Log)
        ],
        "logs": [{"level": log.level, "message": cut_text(log.message)} for log in logs],
        "calls": [_call(call) for call in noted.calls],
        "from": [machine.flow.nodes[index].id for index in noted.via],
    }
    step |= {name: listed for name, listed in lists.items() if listed}
    if outcome.reason:
        step["error" if outcome.port == "failed" else "reason"] = cut_text(outcome.reason)
    return step


def _looked(looked: Sequence[EvaluatedExpression]) -> dict[str, Any]:
    shown = [{"expression": one.expression, "values": cut_all(one.values), "result": one.result} for one in looked]
    if len(shown) > 1:
        return {"expressions": shown}
    return shown[0] if shown else {}


def _config(made: Node) -> Any:
    """The node's config as it was filled in; of a type with one sole field the value of that."""
    notes = field_notes(type(made))
    shown = [name for name, said in notes.items() if not any(isinstance(note, Hidden) for note in said)]
    given = {name: msgspec.to_builtins(getattr(made, name)) for name in shown}
    if len(notes) == 1 and sole_field(type(made)) in given:
        (value,) = given.values()
        return cut_all(value) if isinstance(value, dict) else cut(value)
    return cut_all(given)


def _call(call: TracedCall) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(call)
    return {name: cut_text(value) if isinstance(value, str) else value for name, value in shown.items()}


def _joining(machine: Machine, index: int, effect: Merge) -> dict[str, Any]:
    """A merge with the step that it took, as the profile keeps it."""
    try:
        step = machine.joined_by(index, effect)
    except Refused:
        step = None
    shown: dict[str, Any] = msgspec.to_builtins(step) if step is not None else {}
    return show_effect(effect) | ({"step": shown.pop("id"), **shown} if shown else {})


def show_effect(effect: Effect) -> dict[str, Any]:
    """An effect as a line of a patch."""
    match effect:
        case Merge():
            return {"op": "merge", "profile": effect.other.id, "cause": effect.cause}
        case Attach():
            return {"op": "attach", "profile": effect.profile.id}
        case AttachSession():
            return {"op": "session-attach", "session": effect.session["id"]}
        case Respond():
            return {"op": "respond", "values": cut(effect.values)}
        case Emit():
            return {"op": "emit", "type": effect.type, "properties": cut(effect.properties)}
        case CachePut():
            return {"op": "cache", "key": effect.key, "value": cut(effect.value), "ttl_ms": effect.ttl_ms}
    shown: dict[str, Any] = msgspec.to_builtins(effect)
    if isinstance(shown.get("path"), list | tuple):
        shown["path"] = show_path(tuple(shown["path"]))
    return cut_all(shown)


def cut_all(values: dict[str, Any]) -> dict[str, Any]:
    """Each value cut to size."""
    return {name: cut(value) for name, value in values.items()}


def cut_text(text: str) -> str:
    """A message, or its beginning and how long it was."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"


def cut(value: Any) -> Any:
    """The value, or when it is too large what was left of it and how large it was."""
    if value is None or isinstance(value, int | float) or (isinstance(value, str) and len(value) < 1_000):
        return value
    text = _encoder.encode(value)
    if len(text) <= MAX_VALUE:
        return value
    return {"cut": len(text), "begins": text[:200].decode("utf-8", "replace")}
