"""Traces of events as text: a block of lines for each event, or one line. The input is `debugging.execution`."""

import json
import re
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.links import show_side
from engine.language.duration import show_duration

MAX_VALUE = 90  # characters of one value
GOOD, BAD, QUIET = "green", "bold red", "dim"

_OWNER = {"set": "", "event-set": "event.", "session-set": "session."}
_NAMED = re.compile(r"(\w+)(?= left by | did not run)")  # a node in the reason why another one did not run
_LONG_ID = re.compile(r"\b(?![0-9]+\b)([0-9a-f]{8})[0-9a-f]{24,}\b")


def event_block(id: str, event: dict[str, Any], flow: str | None = None) -> RenderableType:
    """The trace of one event: its disposition, and for each flow the path and steps, or why the flow did not run.

    `event` is an entry of `debugging.execution`, and `id` its key. With `flow`, only the steps of that flow are shown,
    and the paths of the others.
    """
    lines: list[RenderableType] = [_head(id, event)]
    if "reason" in event:
        lines.append(Text(short(event["reason"]), style=BAD if event["disposition"] == "rejected" else ""))
    other_type = [run for run in event["runs"] if _takes_other_type(run)]
    lines += [_run(run, flow) for run in event["runs"] if run.get("flow") and run not in other_type]
    if other_type:
        lines.append(_other_types(other_type))
    return Group(lines[0], Padding(Group(*lines[1:]), (0, 0, 0, 4), expand=False))


def event_line(event: dict[str, Any]) -> Text | None:
    """The trace of one event as a line; None for an event of the system that started no flow."""
    runs = [run for run in event["runs"] if "steps" in run]
    if not runs and event.get("origin") == "system":
        return None
    line = Text.assemble(("○ ", QUIET), (event.get("type", "?"), "bold"), "  ", _disposition(event))
    for run in runs:
        line.append(f"  {run['flow']} ", style="cyan")
        line.append_text(path(run))
        if run["outcome"] != "finished":
            line.append(f" {run['outcome']}", style=_colour(run["outcome"]))
    if not runs:
        line.append(f"  {short(event.get('reason', 'no flow ran'))}", style=QUIET)
    return line


def path(run: dict[str, Any]) -> Text:
    """The path of a run: its nodes in order, each with the port by which it left, unless that is `done`.

    `›` stands before a node that follows the one in front of it, `‖` before a node of another branch.
    """
    text = Text()
    previous: str | None = None
    for step in run["steps"]:
        if previous is not None:
            other_branch = step.get("from") and previous not in step["from"]
            text.append(" ‖ " if other_branch else " › ", style=QUIET)
        text.append(step["node"], style=BAD if step["port"] == "failed" else "")
        if "turns" in step:
            text.append(f" ×{len(step['turns']) + step.get('turns_not_shown', 0)}", style=QUIET)
        if step["port"] != "done":
            text.append(f":{step['port']}", style=BAD if step["port"] == "failed" else "yellow")
        previous = step["node"]
    return text


def short(value: Any) -> str:
    """A value on one line: long ids are cut to their first eight digits, long texts to `MAX_VALUE` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = _LONG_ID.sub(r"\1…", text)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _head(id: str, event: dict[str, Any]) -> Text:
    head = Text.assemble(("● ", "bold"), (event.get("type", "event"), "bold"), f"  {short(id)}  ")
    head.append_text(_disposition(event))
    origin = {"flow": "  from a flow", "system": "  from the system"}.get(event.get("origin", "client"), "")
    head.append(origin, style=QUIET)
    return head


def _disposition(event: dict[str, Any]) -> Text:
    word = event["disposition"]
    return Text(word, style=BAD if word == "rejected" else "yellow" if word in {"duplicate", "queued"} else GOOD)


def _colour(outcome: str) -> str:
    return {"finished": GOOD, "paused": "yellow"}.get(outcome, BAD)


def _waits(waits: dict[str, Any]) -> str:
    """Return where and for what a run waits."""
    nodes = waits["node"] if isinstance(waits["node"], list) else [waits["node"]]
    events = f" for {' or '.join(waits['for'])}" if "for" in waits else ""
    return f"at {', '.join(nodes)}{events} until {waits['until']}, as run {waits['run']}"


def _run(run: dict[str, Any], flow: str | None) -> RenderableType:
    if "steps" not in run:
        return no_run(run)
    head = Text.assemble((run["flow"], "bold cyan"), "  ")
    head.append(run["outcome"], style=_colour(run["outcome"]))
    head.append(f"  {run['duration_us'] / 1000:.1f} ms  ", style=QUIET)
    head.append_text(path(run))
    if flow not in {None, run["flow"]}:
        return head
    table = Table.grid(padding=(0, 2, 0, 0))
    for step in run["steps"]:
        _add_step(table, step)
    if run["outcome"] == "failed":
        table.add_row("", Text("the port leads nowhere, so the run failed and its changes are dropped", style=BAD))
    if "waits" in run:
        table.add_row(Text("waits", style=QUIET), Text(_waits(run["waits"])))
    if run["not_run"]:
        table.add_row(Text("not run", style=QUIET), Text(_not_run(run["not_run"]), style=QUIET))
    return Group(head, Padding(table, (0, 0, 0, 2), expand=False))


def _add_step(table: Table, step: dict[str, Any], prefix: str = "") -> None:
    """Add the lines of a step, and below them those of its turns."""
    style = BAD if step["port"] == "failed" else ""
    table.add_row(Text(f"{prefix}{step['node']}", style=style), Text("\n").join(step_lines(step)))
    for turn in step.get("turns", ()):
        name = f"{prefix}{step['node']}[{turn['index']}]"
        head = Text(f"item {short(turn['item'])}  ", style=QUIET).append_text(path(turn))
        if turn["outcome"] != "finished":
            head.append(f"  {turn['outcome']}", style=BAD)
        table.add_row(Text(name, style=BAD if turn["outcome"] == "failed" else ""), head)
        for inner in turn["steps"]:
            _add_step(table, inner, f"{name}.")
    if "turns_not_shown" in step:
        table.add_row("", Text(f"{step['turns_not_shown']} more turns are not shown", style=QUIET))


def named_steps(run: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """The steps of a run by the names of their nodes, those of turns as `lines[3].price`; only the turns it shows."""
    named: dict[str, dict[str, Any]] = {}
    for step in run.get("steps", ()):
        named[f"{prefix}{step['node']}"] = step
        for turn in step.get("turns", ()):
            named |= named_steps(turn, f"{prefix}{step['node']}[{turn['index']}].")
    return named


def nodes_not_run(run: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Why nodes did not run, by their names as in `named_steps`."""
    reasons = {f"{prefix}{each['node']}": _NAMED.sub(rf"{prefix}\1", each["why"]) for each in run["not_run"]}
    for step in run["steps"]:
        for turn in step.get("turns", ()):
            reasons |= nodes_not_run(turn, f"{prefix}{step['node']}[{turn['index']}].")
    return reasons


def _not_run(nodes: list[dict[str, str]]) -> str:
    """The nodes that did not run, grouped by the reason."""
    reasons: dict[str, list[str]] = {}
    for node in nodes:
        reasons.setdefault(node["why"].partition(", not ")[0], []).append(node["node"])
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())


def no_run(run: dict[str, Any]) -> Text:
    """Why a flow did not run: the condition that did not hold, with its values. Or the run that an event resumes."""
    reason = run.get("reason", "")
    head = Text.assemble((run["flow"], "bold cyan"), "  ", (run["outcome"].replace("-", " "), "yellow"), "  ")
    if "resumed" in run:
        return head.append(f"run {run['resumed']} has waited for this event, and goes on")
    if isinstance(reason, str):
        return head.append(short(reason))
    head.append_text(evaluated(reason["expression"], reason.get("result"), reason.get("values", {})))
    return head.append(f": {reason['why']}") if "why" in reason else head


def _takes_other_type(run: dict[str, Any]) -> bool:
    """Whether a flow did not run because its trigger takes other types of events."""
    return "reason" in run and run["outcome"] == "not-triggered" and "event.type" in run["reason"]["values"]


def _other_types(runs: list[dict[str, Any]]) -> Text:
    takes = ", ".join(f"{run['flow']} ({run['reason']['expression'].partition('matches ')[2]})" for run in runs)
    return Text.assemble(("no flow takes this type", "yellow"), f"  {takes}")


def step_lines(step: dict[str, Any]) -> Iterator[Text]:
    """A node's conditions, look-ups, operations, logs and error, one line for each."""
    for condition in step.get("expressions", [step] if "expression" in step else []):
        yield evaluated(condition["expression"], condition["result"], condition["values"])
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
    """An expression, its result, and the values that it read; these on a line of their own when they are long."""
    text = Text(expression)
    if result is not None:
        text.append(" → ").append(short(result), style="yellow")
    read = ", ".join(
        f"{name} = {value if value == 'absent' else short(json.dumps(value))}" for name, value in values.items()
    )
    between = "\n" if len(text) + len(read) > MAX_VALUE else "   "
    return text.append(f"{between}{read}" if read else "", style=QUIET)


def _calls(calls: list[dict[str, Any]]) -> Text:
    first = calls[0]
    text = Text(short(first["what"] if first["kind"] == "http" else f"{first['kind']} {first['what']}"))
    for call in calls:
        reply = call["got"].removeprefix("no answer: ").removeprefix("the target answered ")
        text.append(" → ").append(short(reply), style="yellow" if reply == call["got"] else "red")
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
        case {"op": "merge", "profile": profile, "right": right}:
            return f"merged with profile {short(profile)}, by the {short(show_side(right))}"
        case {"op": "link", "right": right}:
            return f"linked to the {short(show_side(right))}"
        case {"op": "attach", "profile": profile}:
            return f"the event gets profile {short(profile)}"
        case {"op": "hold-key", "name": name}:
            return f"the {short(show_side(name))} leads here from now on"
        case {"op": "respond", "values": values}:
            return f"answers {short(values)}"
        case {"op": "emit", "type": type}:
            return f"emits {type}"
        case {"op": "cache", "key": key, "ttl_ms": ttl}:
            return f"keeps {key} for {show_duration(ttl)}"
        case {"op": "state-set", "key": key, "value": value}:
            return f"the flow keeps {key} = {short(json.dumps(value, ensure_ascii=False))}"
        case {"op": "deliver", "target": target}:
            later = f" after {op['after']}" if "after" in op else ""
            return f"delivers to {target}{later}: {_message(op)}"
    return short(op)


def _message(op: dict[str, Any]) -> str:
    """The message of a delivery, in words."""
    match op:
        case {"message": "mail", "to": to, "subject": subject}:
            return f"a mail to {short(to)}, {short(json.dumps(subject, ensure_ascii=False))}"
        case {"message": "webhook", "type": type}:
            return f"the webhook {short(type)} {short(op.get('data'))}"
        case {"message": "http", "method": method, "path": path}:
            return f"{method} {short(path)} {short(op['body'])}" if "body" in op else f"{method} {short(path)}"
    return short(op)
