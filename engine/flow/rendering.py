"""Rendering: makes the document of a trace, which is part of answers and is stored. It is limited in size."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.flow.config_template import EvaluatedExpression, evaluate_expression
from engine.flow.effect import Attach, AttachSession, CachePut, Deliver, Effect, Emit, HoldKey, Log, Merge, Respond
from engine.flow.loop import LoopRun
from engine.flow.machine import Machine
from engine.flow.message import HttpMessage
from engine.flow.node import Hidden, Node, type_name
from engine.flow.plan import PlannedNode
from engine.flow.registry import field_notes, node_fields, sole_field
from engine.flow.run import TracedCall
from engine.flow.times import begins_of, has_asked
from engine.flow.trace import Trace, TracedStep
from engine.language.duration import show_duration
from engine.language.path import show_path
from engine.profile.operations import Refused

MAX_VALUE = 4_096  # bytes of one value in a rendered trace, as JSON
MAX_TEXT = 1_000  # characters of a message or reason
MAX_STEPS = 262_144  # bytes of all steps; later steps are reduced to node, type, line, port and time

_encoder = msgspec.json.Encoder()


def render(trace: Trace, machine: Machine) -> dict[str, Any]:
    """The trace as a JSON-like document: the outcome, the steps in order, the nodes that did not run and why."""
    document: dict[str, Any] = {
        "flow": machine.flow.name,
        "version": machine.flow.version[:16],
        "outcome": machine.outcome or "running",
        "duration_us": round((trace.ended - trace.started) * 1e6),
        "steps": _steps(machine, trace.steps, _Size()),
        "not_run": not_run(machine),
    }
    if has_asked(trace.steps):
        begins, end = begins_of(trace.steps)
        document["duration_us"] = max(document["duration_us"], end)
        for step, begin in zip(document["steps"], begins, strict=True):
            step["at_us"] = begin
            for call in step.get("calls", ()):
                call["at_us"] = begin + 1_000 * call.pop("at_ms", 0)
    if machine.reason:
        document["reason"] = cut_text(machine.reason)
    if machine.failed_at:
        document["failed_at"] = machine.failed_at
    return document


def not_run(machine: Machine) -> list[dict[str, str]]:
    """The nodes that did not settle, each with the reason."""
    return [
        {"node": node.id, "why": _reason_not_run(machine, node)}
        for node in machine.flow.nodes
        if node.index not in machine.settled
    ]


def _reason_not_run(machine: Machine, node: PlannedNode) -> str:
    if node.index in machine.loops:
        return f"the run ended in {machine.loops[node.index].progress}"
    if node.index in machine.waiting:
        return "it waits" if machine.flow.nodes[node.index].node.waits else "it waits for an answer"
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


class _Size:
    """The size of the steps that have been rendered, in bytes."""

    def __init__(self) -> None:
        self.total = 0


def _steps(machine: Machine, traced_steps: list[TracedStep], size: _Size) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for traced in traced_steps:
        step = _step(machine, traced)
        length = len(_encoder.encode(step))
        size.total += length
        step = step if size.total <= MAX_STEPS else {**_step_summary(traced), "cut": length}
        steps.append(step if traced.loop is None else step | _turns(traced.loop, size))
    return steps


def _turns(loop: LoopRun, size: _Size) -> dict[str, Any]:
    """The keys that the step of a loop has for its turns: those to show, and the number of the others."""
    shown = [_turn(loop, index, size) for index in sorted(loop.shown)]
    others = loop.begun - len(shown)
    return {"turns": shown} | ({"turns_not_shown": others} if others else {})


def _turn(loop: LoopRun, index: int, size: _Size) -> dict[str, Any]:
    turn = loop.shown[index]
    assert turn.trace is not None  # noqa: S101  # else it would not be shown
    document: dict[str, Any] = {
        "index": index,
        "item": cut(loop.turns.items[index]),
        "outcome": turn.outcome or "dropped",
        "steps": _steps(turn, turn.trace.steps, size),
        "not_run": not_run(turn),
    }
    return document | ({"error": cut_text(f"{turn.failed_at}: {turn.reason}")} if turn.outcome == "failed" else {})


def _step_summary(traced: TracedStep) -> dict[str, Any]:
    """The part of a step that is never cut."""
    assert traced.outcome is not None  # noqa: S101
    node = traced.node
    us = round(traced.seconds * 1e6, 1)
    return {"node": node.id, "type": type_name(node.node), "line": node.line, "port": traced.outcome.port, "us": us}


def _step(machine: Machine, traced: TracedStep) -> dict[str, Any]:
    outcome = traced.outcome
    assert outcome is not None  # noqa: S101
    scope, when = traced.scope, traced.node.when
    ran = scope is not None and outcome.port != "skipped"
    conditions, values_read = traced.node.template.explain(scope) if scope is not None and ran else ((), {})
    guard = [evaluate_expression(when, scope)] if when is not None and scope is not None else []
    step = _step_summary(traced) | _expressions([*guard, *conditions])
    if values_read:
        step["read"] = cut_all(values_read)
    if traced.made is not None and not conditions:
        step["in"] = _config(traced.made)
    if outcome.out is not None:
        step["out"] = cut(outcome.out)
    effects = outcome.effects if traced.loop is None else ()  # else the steps of its turns have them
    logs = [effect for effect in effects if isinstance(effect, Log)]
    lists = {
        "operations": [
            _show_merge(machine, traced.node.index, effect) if isinstance(effect, Merge) else show_effect(effect)
            for effect in effects
            if not isinstance(effect, Log)
        ],
        "logs": [{"level": log.level, "message": cut_text(log.message)} for log in logs],
        "calls": [_call(call) for call in traced.calls],
        "from": [machine.flow.nodes[index].id for index in traced.via],
    }
    step |= {name: items for name, items in lists.items() if items}
    if outcome.reason:
        step["error" if outcome.port == "failed" else "reason"] = cut_text(outcome.reason)
    return step


def _expressions(evaluated: Sequence[EvaluatedExpression]) -> dict[str, Any]:
    """The keys that a step has for its expressions: those of the only one, or a list under `expressions`."""
    documents = [{"expression": e.expression, "values": cut_all(e.values), "result": e.result} for e in evaluated]
    if len(documents) > 1:
        return {"expressions": documents}
    return documents[0] if documents else {}


def _config(made: Node) -> Any:
    """The node's evaluated config by field, without hidden fields.

    Of a node whose author may have written its sole field alone, since the others are defaults, only that value.
    """
    notes = field_notes(type(made))
    names = [name for name, its_notes in notes.items() if not any(isinstance(note, Hidden) for note in its_notes)]
    written = {info.name: info.encode_name for info in node_fields(type(made))}
    config = {written[name]: msgspec.to_builtins(getattr(made, name)) for name in names}
    sole = sole_field(type(made))
    others = [info for info in node_fields(type(made)) if info.name != sole]
    if sole in config and all(getattr(made, info.name) == info.default for info in others):
        value = config[sole]
        return cut_all(value) if isinstance(value, dict) else cut(value)
    return cut_all(config)


def _call(call: TracedCall) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(call)
    return {name: cut_text(value) if isinstance(value, str) else value for name, value in document.items()}


def _show_merge(machine: Machine, index: int, effect: Merge) -> dict[str, Any]:
    """A merge effect of node `index`, with the link that it has made."""
    try:
        link = machine.link_of(index, effect)
    except Refused:
        link = None
    document: dict[str, Any] = msgspec.to_builtins(link) if link is not None else {}
    return show_effect(effect) | ({"link": document.pop("id"), **document} if document else {})


def show_effect(effect: Effect) -> dict[str, Any]:
    """An effect as a trace lists it: its kind under `op`, and its data, cut to size."""
    match effect:
        case Merge():
            link = effect.links[-1]
            joined = {"profile": effect.other.id} if effect.other is not None else {}
            return {"op": "merge" if joined else "link", **joined, "right": link.right}
        case HoldKey():  # without the ids that lose the key: they are secrets of others
            return {"op": "hold-key", "name": effect.name}
        case Attach():
            return {"op": "attach", "profile": effect.profile.id}
        case AttachSession():
            return {"op": "session-attach", "session": effect.session["id"]}
        case Respond():
            return {"op": "respond", "values": cut(effect.values)}
        case Emit():
            elsewhere = {} if effect.elsewhere is None else msgspec.to_builtins(effect.elsewhere)
            return {"op": "emit", "type": effect.type, "properties": cut(effect.properties), **elsewhere}
        case Deliver():
            return _show_delivery(effect)
        case CachePut():
            return {"op": "cache", "key": effect.key, "value": cut(effect.value), "ttl_ms": effect.ttl_ms}
    document: dict[str, Any] = msgspec.to_builtins(effect)
    if isinstance(document.get("path"), list | tuple):
        document["path"] = show_path(tuple(document["path"]))
    return cut_all(document)


def _show_delivery(effect: Deliver) -> dict[str, Any]:
    """A delivery as a trace lists it: without its headers, which may contain a secret."""
    message: dict[str, Any] = msgspec.to_builtins(effect.message)
    message.pop("headers", None)
    if isinstance(effect.message, HttpMessage):  # also where they are the defaults
        message |= {"method": effect.message.method, "path": effect.message.path}
    shown = {"op": "deliver", "target": effect.target, **message}
    if effect.ordered:
        shown["order"] = "profile"
    if effect.after_ms:
        shown["after"] = show_duration(effect.after_ms)
    return cut_all(shown)


def cut_all(values: dict[str, Any]) -> dict[str, Any]:
    """The map with each value cut to size."""
    return {name: cut(value) for name, value in values.items()}


def cut_text(text: str) -> str:
    """The text; when it is too long, its first characters and its length."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"


def cut(value: Any) -> Any:
    """The value; when it is too large, a map of its size in bytes (`cut`) and the first characters of its JSON."""
    if value is None or isinstance(value, int | float) or (isinstance(value, str) and len(value) < 1_000):
        return value
    text = _encoder.encode(value)
    if len(text) <= MAX_VALUE:
        return value
    return {"cut": len(text), "begins": text[:200].decode("utf-8", "replace")}
