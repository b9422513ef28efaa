"""Traces: what each node of a run did and why, as data.

A `Trace` collects references while the machine runs (values are never changed in place, so they stay as they were);
`render` turns it into the document that answers and stores hold, cut to size.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from engine.flow.effect import Attach, AttachSession, CachePut, Effect, Emit, Log, Merge, Respond
from engine.flow.fill import Looked
from engine.flow.node import Node, Outcome, type_name
from engine.flow.plan import Flow, PlannedNode
from engine.flow.run import Call
from engine.language.expression import Explained
from engine.language.path import show_path

if TYPE_CHECKING:
    from engine.flow.machine import Machine

MOST_VALUE = 4_096  # bytes of one value in a rendered trace, as JSON

_encoder = msgspec.json.Encoder()


class Noted:
    """What was noted of one node while it ran."""

    __slots__ = ("calls", "looked", "made", "node", "outcome", "read", "seconds", "via")

    def __init__(self, node: PlannedNode) -> None:
        self.node = node
        self.looked: tuple[Looked, ...] = ()
        self.read: dict[str, Any] = {}
        self.made: Node | None = None
        self.outcome: Outcome | None = None
        self.via: tuple[int, ...] = ()
        self.calls: tuple[Call, ...] = ()
        self.seconds = 0.0


class Trace:
    """Collects what a run's nodes did. `ticks` is a monotonic clock in seconds."""

    __slots__ = ("_began", "_current", "began", "ended", "noted", "ticks")

    def __init__(self, ticks: Callable[[], float]) -> None:
        self.ticks = ticks
        self.noted: list[Noted] = []
        self.began = self.ended = self._began = ticks()
        self._current: Noted | None = None

    def begin(self, node: PlannedNode) -> None:
        """`node` is at work from now."""
        self._current = Noted(node)
        self._began = self.ticks()

    def guard(self, source: str, said: Explained) -> None:
        """The node's `when` was evaluated."""
        assert self._current is not None  # noqa: S101
        self._current.looked = (Looked(source, said.values, said.value),)

    def filled(self, made: Node, looked: tuple[Looked, ...], read: dict[str, Any]) -> None:
        """The node's config was filled in."""
        assert self._current is not None  # noqa: S101
        self._current.made, self._current.read = made, read
        self._current.looked += looked

    def settled(self, node: PlannedNode, outcome: Outcome, via: tuple[int, ...], calls: tuple[Call, ...]) -> None:
        """The node has left by a port."""
        noted = self._current if self._current is not None and self._current.node is node else Noted(node)
        noted.outcome, noted.via, noted.calls = outcome, via, calls
        self.ended = self.ticks()
        noted.seconds = self.ended - self._began
        self.noted.append(noted)


def render(trace: Trace, machine: "Machine") -> dict[str, Any]:
    """The trace as a document (JSON-like): outcome, steps in order, nodes that did not run and why."""
    run = machine.run
    document: dict[str, Any] = {
        "flow": run.flow,
        "version": run.version[:16],
        "outcome": run.outcome or "running",
        "duration_us": round((trace.ended - trace.began) * 1e6),
        "steps": [_step(machine.flow, noted) for noted in trace.noted],
        "not_run": not_run(machine),
    }
    if run.reason:
        document["reason"] = run.reason
    if run.failed_at:
        document["failed_at"] = run.failed_at
    return document


def not_run(machine: "Machine") -> list[dict[str, str]]:
    """The nodes that did not run, each with the reason."""
    return [
        {"node": node.id, "why": _why_not(machine, node)}
        for node in machine.flow.nodes
        if node.index not in machine.settled
    ]


def _why_not(machine: "Machine", node: PlannedNode) -> str:
    if node.index in machine.waiting:
        return "it waited for an answer when the run ended"
    reasons = []
    for source, port in node.ins:
        other = machine.flow.nodes[source]
        settled = machine.settled.get(source)
        if settled is None:
            reasons.append(f"{other.id} did not run")
        elif settled.port != port:
            reasons.append(f"{other.id} left by {settled.port}, not {port}")
    if machine.run.outcome == "failed" and not reasons:
        return f"the run failed at {machine.run.failed_at}"
    return "; ".join(reasons) or "the run had ended"


def _step(flow: Flow, noted: Noted) -> dict[str, Any]:
    node, outcome = noted.node, noted.outcome
    assert outcome is not None  # noqa: S101
    step: dict[str, Any] = {
        "node": node.id,
        "type": type_name(node.node),
        "line": node.line,
        "port": outcome.port,
        "us": round(noted.seconds * 1e6, 1),
    }
    if len(noted.looked) == 1:
        looked = noted.looked[0]
        step |= {"expression": looked.expression, "values": cut_all(looked.values), "result": looked.result}
    elif noted.looked:
        step["expressions"] = [
            {"expression": one.expression, "values": cut_all(one.values), "result": one.result} for one in noted.looked
        ]
    if noted.read:
        step["read"] = cut_all(noted.read)
    if noted.made is not None and not noted.looked:
        given = msgspec.to_builtins(noted.made)
        given.pop("type", None)
        step["in"] = cut_all(given)
    if outcome.out is not None:
        step["out"] = cut(outcome.out)
    operations = [shown for effect in outcome.effects if not isinstance(effect, Log) and (shown := show_effect(effect))]
    if operations:
        step["operations"] = operations
    logs = [{"level": e.level, "message": e.message} for e in outcome.effects if isinstance(e, Log)]
    if logs:
        step["logs"] = logs
    if noted.calls:
        step["calls"] = [msgspec.to_builtins(call) for call in noted.calls]
    if outcome.reason:
        step["error" if outcome.port == "failed" else "reason"] = outcome.reason
    if noted.via:
        step["from"] = [flow.nodes[index].id for index in noted.via]
    return step


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


def cut(value: Any) -> Any:
    """The value, or when it is too large what was left of it and how large it was."""
    if value is None or isinstance(value, int | float) or (isinstance(value, str) and len(value) < 1_000):
        return value
    text = _encoder.encode(value)
    if len(text) <= MOST_VALUE:
        return value
    return {"cut": len(text), "begins": text[:200].decode("utf-8", "replace")}
