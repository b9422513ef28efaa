"""The steps of a run as rows for its page: what each node evaluated, changed, asked and logged."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from api.console.evaluated import Part, parts_of
from api.console.words import literal, value

_SIGNS = {
    "set": "=",
    "unset": "−",
    "increment": "+",
    "count": "+",
    "append": "+",
    "add": "+",
    "remove": "−",
    "respond": "↩",
    "merge": "⋈",
    "link": "⋈",
    "hold-key": "⋈",
    "claim-key": "⋈",
    "attach": "⋈",
    "session-attach": "⋈",
    "emit": "→",
    "deliver": "→",
    "cache": "=",
    "segment-add": "+",
    "segment-remove": "−",
    "session-set": "=",
    "event-set": "=",
}
_STATUS = re.compile(r"^no answer: the target answered ([0-9]{3})$")
_IDENTITY = {"merge", "link", "hold-key", "claim-key", "attach", "session-attach", "hand-over"}


class Evaluated(Struct, frozen=True):
    """An expression in its parts, and its result as text."""

    parts: list[Part]
    result: str


class Change(Struct, frozen=True):
    """An effect: its sign, what it changes, and how. `bond` says that it is about identity."""

    sign: str
    subject: str
    text: str
    bond: bool = False


class Attempt(Struct, frozen=True):
    """One call, with its place on a line of 300 px: when it began and how long it took."""

    kind: str
    what: str
    got: str
    number: int
    took: str
    x: float
    width: float
    failed: bool


class StepRow(Struct, frozen=True):
    """A step of a run, as its page shows it. `anchor` is the number of the step, or that of a turn's inner step."""

    anchor: str
    number: str
    node: str
    type: str
    port: str
    line: int
    us: float
    state: str  # "", "bad" or "mind"
    evaluated: list[Evaluated] = []
    changes: list[Change] = []
    attempts: list[Attempt] = []
    logs: list[Mapping[str, Any]] = []
    reason: str = ""
    error: str = ""
    config: Any = None
    output: Any = None
    turns: "list[TurnRow]" = []
    turns_not_shown: int = 0


class TurnRow(Struct, frozen=True):
    """A turn of a loop: its item, its outcome and its steps."""

    index: int
    item: str
    outcome: str
    steps: list[StepRow]


def rows_of(trace: Mapping[str, Any]) -> list[StepRow]:
    """Return the rows of a run's trace."""
    ended = trace.get("failed_at") if trace.get("outcome") == "failed" else None
    total = max(float(trace.get("duration_us") or 0), 1.0)
    return [_row(step, str(number), ended, total) for number, step in enumerate(trace.get("steps", ()), 1)]


def _row(step: Mapping[str, Any], number: str, ended: Any, total: float) -> StepRow:
    failed = step["port"] == "failed"
    return StepRow(
        anchor=number,
        number=number,
        node=step["node"],
        type=step["type"],
        port=step["port"],
        line=step.get("line", 0),
        us=step.get("us", 0),
        state="" if not failed else "bad" if step["node"] == ended else "mind",
        evaluated=list(_evaluated(step)),
        changes=[change_of(operation) for operation in step.get("operations", ())],
        attempts=_attempts(step.get("calls", ()), total),
        logs=list(step.get("logs", ())),
        reason=step.get("reason", ""),
        error=step.get("error", ""),
        config=step.get("in"),
        output=step.get("out"),
        turns=[_turn(turn, number, total) for turn in step.get("turns", ())],
        turns_not_shown=step.get("turns_not_shown", 0),
    )


def _turn(turn: Mapping[str, Any], number: str, total: float) -> TurnRow:
    ended = turn.get("error", "").partition(":")[0] if turn.get("outcome") == "failed" else None
    steps = [_row(step, f"{number}.{turn['index']}.{n}", ended, total) for n, step in enumerate(turn["steps"], 1)]
    return TurnRow(turn["index"], value(turn.get("item")), turn.get("outcome", ""), steps)


def _evaluated(step: Mapping[str, Any]) -> Iterator[Evaluated]:
    several = step.get("expressions") or ([step] if "expression" in step else [])
    for each in several:
        result = each.get("result")
        words = {True: "true", False: "false"}.get(result) if isinstance(result, bool) else None
        yield Evaluated(parts_of(each["expression"], each.get("values", {})), words or literal(result))


def change_of(operation: Mapping[str, Any]) -> Change:
    """Return an effect of a trace as a line."""
    op = str(operation.get("op", "?"))
    others = {name: data for name, data in operation.items() if name not in {"op", "path"}}
    subject, bond = str(operation.get("path", "")), op in _IDENTITY
    sign = _SIGNS.get(op, "·")
    match op:
        case "increment" | "count" if "by" in others:
            return Change(sign, subject or str(others.get("name", "")), f"+{literal(others['by'])}")
        case "set" | "event-set" | "session-set" if "value" in others:
            owner = {"event-set": "event.", "session-set": "session."}.get(op, "")
            return Change(sign, f"{owner}{subject}", literal(others["value"]))
        case "unset":
            return Change(sign, subject, "is removed")
        case "respond":
            return Change(sign, "answers", literal(others.get("values")))
        case "emit":
            return Change(sign, f"emits {others.get('type')}", literal(others.get("properties")))
        case "deliver":
            message = {name: data for name, data in others.items() if name not in {"target", "method"}}
            return Change(sign, f"sends {others.get('method', '')} to {others.get('target')}", literal(message))
    return Change(sign, subject or op, " ".join(f"{name} {literal(data)}" for name, data in others.items()), bond)


def _attempts(calls: Any, total: float) -> list[Attempt]:
    return [
        Attempt(
            kind=call.get("kind", ""),
            what=call.get("what", ""),
            got=_short(str(call.get("got", ""))),
            number=call.get("attempt", 1),
            took=f"{call.get('took_ms', 0)} ms" if call.get("took_ms") else "",
            x=min(290.0, 300 * call.get("at_us", 0) / total),
            width=max(3.0, min(300.0, 300 * call.get("took_ms", 0) * 1000 / total)),
            failed=_is_failure(str(call.get("got", ""))),
        )
        for call in calls
    ]


def _short(got: str) -> str:
    """Return the answer to a call in a word where it has one: the status of a target that gave no usable answer."""
    answered = _STATUS.search(got)
    return answered[1] if answered else value(got)


def _is_failure(got: str) -> bool:
    return got[:1] in {"4", "5"} or got.startswith(("no answer", "timeout", "error"))
