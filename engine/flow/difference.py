"""The difference between two runs of a flow, read from the documents of their traces."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

Document = Mapping[str, Any]

_DELIVERIES = frozenset({"deliver"})
_EMITTED = frozenset({"emit"})


class Summary(Struct, frozen=True):
    """The deeds of a run, without times: its outcome and reason, its path, and its effects as lines."""

    outcome: str
    reason: str
    path: tuple[str, ...]
    changes: tuple[str, ...]
    emitted: tuple[str, ...]
    deliveries: tuple[str, ...]
    response: tuple[str, ...]
    logs: tuple[str, ...]


class Difference(Struct, frozen=True):
    """A member of two summaries that differs."""

    what: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def summary_of(trace: Document) -> Summary:
    """Return the summary of a trace's document. A failed run has no effects: they were dropped."""
    steps = list(_steps(trace.get("steps", ()), ""))
    failed = trace.get("outcome") == "failed"
    reason = trace.get("reason", "")
    operations = [] if failed else [(name, each) for name, step in steps for each in step.get("operations", ())]
    return Summary(
        outcome=str(trace.get("outcome", "")),
        reason=reason if isinstance(reason, str) else "",
        path=tuple([f"{name}:{step['port']}" for name, step in steps]),
        changes=_lines(operations, lambda op: op not in _DELIVERIES | _EMITTED | {"respond"}),
        emitted=_lines(operations, _EMITTED.__contains__),
        deliveries=_lines(operations, _DELIVERIES.__contains__),
        response=_lines(operations, "respond".__eq__),
        logs=tuple([f"{log['level']}: {log['message']}" for _, step in steps for log in step.get("logs", ())]),
    )


def differences(before: Document, after: Document) -> list[Difference]:
    """Return what differs between two traces, in the order of a summary's members."""
    one, other = summary_of(before), summary_of(after)
    found: list[Difference] = []
    for name in Summary.__struct_fields__:
        was, now = getattr(one, name), getattr(other, name)
        if was != now:
            found.append(Difference(name, _as_lines(was), _as_lines(now)))
    return found


def _as_lines(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,) if value else ()


def _steps(steps: Any, prefix: str) -> Iterator[tuple[str, Document]]:
    for step in steps:
        yield f"{prefix}{step['node']}", step
        for turn in step.get("turns", ()):
            yield from _steps(turn["steps"], f"{prefix}{step['node']}[{turn['index']}].")


def _lines(operations: list[tuple[str, Document]], wanted: Any) -> tuple[str, ...]:
    return tuple([_line(name, each) for name, each in operations if wanted(each.get("op"))])


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _line(node: str, operation: Document) -> str:
    others = " ".join(f"{name}={_json(value)}" for name, value in operation.items() if name != "op")
    return f"{node}: {operation.get('op')} {others}"
