"""Traces for people: what the debugger answered, as a block of lines for each event, or as one line."""

import json
import re
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.language.duration import show_duration

LONGEST = 90  # characters of one value
WELL, BAD, QUIET = "green", "bold red", "dim"

_OWNER = {"set": "", "event-set": "event.", "session-set": "session."}
_LONG_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")


def event_block(key: str, told: dict[str, Any], flow: str | None = None) -> RenderableType:
    """Everything about one event: what became of it, and for each flow the path, the steps, or why there was none.

    With `flow`, only that one's steps are shown; of the others the path.
    """
    lines: list[RenderableType] = [_head(key, told)]
    if "reason" in told:
        lines.append(Text(short(told["reason"]), style=BAD if told["disposition"] == "rejected" else ""))
    untyped = [run for run in told["runs"] if _matches_no_type(run)]
    lines += [_run(run, flow) for run in told["runs"] if run.get("flow") and run not in untyped]
    if untyped:
        lines.append(_no_type(untyped))
    return Group(lines[0], Padding(Group(*lines[1:]), (0, 0, 0, 4), expand=False))


def event_line(told: dict[str, Any]) -> Text | None:
    """One line about an event; None for an event of the system in which nothing ran."""
    runs = [run for run in told["runs"] if "steps" in run]
    if not runs and told.get("origin") == "system":
        return None
    line = Text.assemble(("○ ", QUIET), (told.get("type", "?"), "bold"), "  ", _disposition(told))
    for run in runs:
        line.append(f"  {run['flow']} ", style="cyan")
        line.append_text(path(run))
        if run["outcome"] != "finished":
            line.append(f" {run['outcome']}", style=BAD)
    if not runs:
        line.append(f"  {short(told.get('reason', 'no flow ran'))}", style=QUIET)
    return line


def path(run: dict[str, Any]) -> Text:
    """The way that a run took: nodes in order, each with the port it left by (`done` goes without saying).

    `›` leads from a node to the next, `‖` to one on a branch beside it.
    """
    text = Text()
    before: str | None = None
    for step in run["steps"]:
        if before is not None:
            beside = step.get("from") and before not in step["from"]
            text.append(" ‖ " if beside else " › ", style=QUIET)
        text.append(step["node"], style=BAD if step["port"] == "failed" else "")
        if step["port"] != "done":
            text.append(f":{step['port']}", style=BAD if step["port"] == "failed" else "yellow")
        before = step["node"]
    return text


def short(value: Any) -> str:
    """A value as it fits a line: long ids by their first eight digits, long texts cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = _LONG_ID.sub(r"\1…", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _head(key: str, told: dict[str, Any]) -> Text:
    head = Text.assemble(("● ", "bold"), (told.get("type", "event"), "bold"), f"  {short(key)}  ")
    head.append_text(_disposition(told))
    origin = {"flow": "  from a flow", "system": "  from the system"}.get(told.get("origin", "client"), "")
    head.append(origin, style=QUIET)
    return head


def _disposition(told: dict[str, Any]) -> Text:
    word = told["disposition"]
    return Text(word, style=BAD if word == "rejected" else "yellow" if word in {"duplicate", "queued"} else WELL)


def _run(run: dict[str, Any], flow: str | None) -> RenderableType:
    if "steps" not in run:
        return no_run(run)
    head = Text.assemble((run["flow"], "bold cyan"), "  ")
    head.append(run["outcome"], style=WELL if run["outcome"] == "finished" else BAD)
    head.append(f"  {run['duration_us'] / 1000:.1f} ms  ", style=QUIET)
    head.append_text(path(run))
    if flow not in {None, run["flow"]}:
        return head
    table = Table.grid(padding=(0, 2, 0, 0))
    for step in run["steps"]:
        table.add_row(
            Text(step["node"], style=BAD if step["port"] == "failed" else ""), Text("\n").join(step_lines(step))
        )
    if run["outcome"] == "failed":
        table.add_row("", Text("the port leads nowhere, so the run failed and its changes are dropped", style=BAD))
    if run["not_run"]:
        table.add_row(Text("not run", style=QUIET), Text(_not_run(run["not_run"]), style=QUIET))
    return Group(head, Padding(table, (0, 0, 0, 2), expand=False))


def _not_run(nodes: list[dict[str, str]]) -> str:
    """The nodes that did not run, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for one in nodes:
        reasons.setdefault(one["why"].partition(", not ")[0], []).append(one["node"])
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())


def no_run(run: dict[str, Any]) -> Text:
    """Why a flow did not run: what was looked at, and what that came to."""
    reason = run["reason"]
    head = Text.assemble((run["flow"], "bold cyan"), "  ", (run["outcome"].replace("-", " "), "yellow"), "  ")
    return head.append_text(evaluated(reason["expression"], reason.get("result"), reason["values"]))


def _matches_no_type(run: dict[str, Any]) -> bool:
    return "reason" in run and run["outcome"] == "not-triggered" and "event.type" in run["reason"]["values"]


def _no_type(runs: list[dict[str, Any]]) -> Text:
    takes = ", ".join(f"{run['flow']} ({run['reason']['expression'].partition('matches ')[2]})" for run in runs)
    return Text.assemble(("no flow takes this type", "yellow"), f"  {takes}")


def step_lines(step: dict[str, Any]) -> Iterator[Text]:
    """What a node looked at, asked and did, a line each."""
    for one in step.get("expressions", [step] if "expression" in step else []):
        yield evaluated(one["expression"], one["result"], one["values"])
    if "calls" in step:
        yield _calls(step["calls"])
    if "operations" in step:
        yield Text("; ".join(map(_operation, step["operations"])))
    for log in step.get("logs", []):
        yield Text(f"logs a line ({log['level']}): {short(log['message'])}")
    if "error" in step:
        yield Text(short(step["error"]), style=BAD)
    elif "reason" in step and "calls" not in step:
        yield Text(short(step["reason"]), style=QUIET)


def evaluated(expression: str, result: Any, values: dict[str, Any]) -> Text:
    """An expression, what it came to, and the values that it read; on a line of their own when they are long."""
    text = Text(expression)
    if result is not None:
        text.append(" → ").append(short(result), style="yellow")
    seen = ", ".join(
        f"{name} = {value if value == 'absent' else short(json.dumps(value))}" for name, value in values.items()
    )
    between = "\n" if len(text) + len(seen) > LONGEST else "   "
    return text.append(f"{between}{seen}" if seen else "", style=QUIET)


def _calls(calls: list[dict[str, Any]]) -> Text:
    first = calls[0]
    text = Text(short(first["what"] if first["kind"] == "http" else f"{first['kind']} {first['what']}"))
    for call in calls:
        got = call["got"].removeprefix("no answer: ").removeprefix("the target answered ")
        text.append(" → ").append(short(got), style="yellow" if got == call["got"] else "red")
        if call["kind"] == "http":
            text.append(f" ({call.get('took_ms', 0)} ms)", style=QUIET)
    return text


def _operation(op: dict[str, Any]) -> str:
    """An operation or another effect, in words."""
    match op:
        case {"op": "set" | "event-set" | "session-set" as kind, "path": path, "value": value}:
            return f"{_OWNER[kind]}{path} = {short(json.dumps(value, ensure_ascii=False))}"
        case {"op": "increment", "path": path, "by": by}:
            return f"{path} {by:+}"
        case {"op": "count", "name": name, "by": by}:
            return f"counter {name} {by:+}"
        case {"op": "add" | "remove" as kind, "path": path, "member": member}:
            return f"{path} {'gains' if kind == 'add' else 'loses'} {short(json.dumps(member, ensure_ascii=False))}"
        case {"op": "append", "path": path, "value": value}:
            return f"{path} ends with {short(json.dumps(value, ensure_ascii=False))}"
        case {"op": "unset", "path": path}:
            return f"{path} is removed"
    return _effect(op)


def _effect(op: dict[str, Any]) -> str:
    match op:
        case {"op": "merge", "profile": profile}:
            return f"joined with profile {short(profile)}"
        case {"op": "attach", "profile": profile}:
            return f"the event gets profile {short(profile)}"
        case {"op": "claim-key", "path": path, "value": value}:
            return f"{path} {short(value)} leads here from now on"
        case {"op": "respond", "values": values}:
            return f"answers {short(values)}"
        case {"op": "emit", "type": type}:
            return f"emits {type}"
        case {"op": "cache", "key": key, "ttl_ms": ttl}:
            return f"keeps {key} for {show_duration(ttl)}"
    return short(op)
