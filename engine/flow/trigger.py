"""The trigger of a flow: read from its document, and checked."""

import re
from collections.abc import Mapping
from typing import Any

from engine.flow.condition import read_when
from engine.flow.hash_keys import unknown_hash_keys
from engine.flow.names import ProjectNames
from engine.flow.plan import Trigger
from engine.flow.problem_list import ProblemList, as_list
from engine.flow.schedule import SCHEDULE_FIRED
from engine.flow.schedule_trigger import SCHEDULE_KEYS, check_events, check_unscheduled, is_scheduled, read_schedule
from engine.flow.workarounds import TRIGGER_WORKAROUNDS
from engine.language.fields import FIELDS
from engine.language.findings import findings
from engine.language.tree import draws
from engine.problem import KeyPath
from engine.validation_message import format_value

TRIGGER_KEYS = ("event", "source", "when", *SCHEDULE_KEYS)
_SCHEDULE = re.compile(r"@\w+|\S+(?:\s+[\d*/,?LW#A-Za-z-]+){4,6}")
_AT: KeyPath = ("trigger",)


def read_trigger(document: Mapping[str, Any], names: ProjectNames, problems: ProblemList) -> Trigger:
    """The trigger of a flow's document. Adds its errors to `problems`; the trigger is then incomplete."""
    raw = document.get("trigger")
    if raw is None:
        help = "add `trigger: {event: order-paid}`, names or globs"
        problems.add("H102", "a flow needs a trigger", _AT if "trigger" in document else (), on="key", help=help)
        return Trigger()
    if not isinstance(raw, Mapping):
        help = f"write `trigger: {{event: {format_value(raw)}}}`" if isinstance(raw, str | list) else ""
        if isinstance(raw, str) and _SCHEDULE.fullmatch(raw):
            help = f'write `trigger: {{schedule: "{raw}"}}`'
        elif isinstance(raw, str):
            help = TRIGGER_WORKAROUNDS.get(raw, help)
        problems.add("H103", "a trigger is a map with `event`, `source`, `when`", _AT, help=help)
        return Trigger()
    problems.add_unknown_keys(raw, TRIGGER_KEYS, _AT, "a trigger", TRIGGER_WORKAROUNDS)
    when = read_when(raw, _AT, names, problems)
    if when is not None and any(read.path[0] == "nodes" for read in when.reads):
        problems.add("H304", "no node has run when a trigger is decided", (*_AT, "when"))
    if when is not None:
        problems += list(unknown_hash_keys((*_AT, "when"), when, names))
    if when is not None and draws(when.tree):
        help = "only a node draws: draw in a node, e.g. in a `let`, and decide there by `if`"
        problems.add("H304", "a trigger draws nothing", (*_AT, "when"), help=help)
    if when is not None:
        problems += [problem.below((*_AT, "when")) for problem in findings(when, FIELDS)]
    sources = _words(raw, "source", problems)
    for source, at in as_list(raw.get("source", []), (*_AT, "source")):
        if isinstance(source, str) and not set(source) & {"*", "?"}:
            problem = names.problem("source", source)
            problems += [problem.below(at)] if problem else []
    if is_scheduled(raw):
        return Trigger((SCHEDULE_FIRED,), (), when, read_schedule(raw, names, problems))
    check_unscheduled(raw, problems)
    events = _words(raw, "event", problems)
    check_events(events, problems)
    return Trigger(events, sources, when)


def _words(raw: Mapping[str, Any], key: str, problems: ProblemList) -> tuple[str, ...]:
    if key not in raw:
        return ()
    words = as_list(raw[key], (*_AT, key))
    for word, where in words or [(None, (*_AT, key))]:
        if not isinstance(word, str) or not word:
            inner = word.get("type", word.get("name")) if isinstance(word, Mapping) else word
            number = isinstance(word, int | float)
            example = f'"{word}"' if number else inner if isinstance(inner, str) and inner else "order-paid"
            problems.add("H103", f"`{key}` is a name or a list of names", where, help=f"write `{key}: {example}`")
    return tuple(str(word) for word, _ in words)
