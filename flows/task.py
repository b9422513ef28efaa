"""`tasks/*.yaml`: scripts that run by a schedule."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.flow.compile import FLOW_NAME
from engine.flow.flow_shape import slug_of
from engine.flow.names import ProjectNames
from engine.flow.problem_list import ProblemList
from engine.flow.schedule_times import TIME_KEYS, read_times
from engine.problem import Problem, did_you_mean
from engine.project.script_task import DEADLINE_MS, MAIN, ScriptTask
from flows.script import ScriptPlace, read_script
from flows.typed import meant

KEYS: Final = ("task", "description", "source", "script", *TIME_KEYS, "params")
EXAMPLE: Final = "function main(params) { … }"

_LONGER: Final = "keep a cursor with `config.set`, and let the next run go on from there"
_OTHER_NAMES: Final = {
    **dict.fromkeys(("name", "id"), "task"),
    **dict.fromkeys(("cron", "at"), "schedule"),
    "interval": "every",
    **dict.fromkeys(("code", "file", "javascript", "js"), "script"),
    **dict.fromkeys(("parameters", "config", "arguments", "env"), "params"),
    **dict.fromkeys(("timeout", "limit"), "deadline"),
    "zone": "timezone",
}  # what other tools call the keys


def read_task(data: Any, names: ProjectNames, place: ScriptPlace) -> tuple[ScriptTask | None, list[Problem]]:
    """Return the task in `data`, or None with its problems."""
    problems = ProblemList(_wrong_keys(data))
    name, source = data.get("task"), data.get("source")
    if "task" in data and (not isinstance(name, str) or not FLOW_NAME.fullmatch(name)):
        slug = slug_of(str(name)) if isinstance(name, str | int) else ""
        help = "small letters, digits, - and _" + (f": `task: {slug}`" if slug and slug != name else "")
        problems.add("H404", f"`{name}` is not the name of a task", ("task",), help=help)
    if isinstance(source, str):
        problem = names.problem("source", source)
        problems += [problem.below(("source",))] if problem is not None else []
    elif "source" in data:
        problems.add("H404", "`source` is the name of a source", ("source",), help="write `source: NAME`")
    schedule = read_times(data, problems, deadline_ms=DEADLINE_MS, longest_ms=DEADLINE_MS, longer=_LONGER)
    script, found = read_script(data, place, MAIN, EXAMPLE) if "script" in data else (None, [])
    problems += found
    if script is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    return ScriptTask(name=str(name), source=str(source), script=script, schedule=schedule), problems


def _wrong_keys(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each key that is unknown, and for each that is missing."""
    stood_in_for = set()
    for key in data:
        if key not in KEYS:
            other = _OTHER_NAMES.get(key) or meant(str(key), KEYS)
            stood_in_for.add(other)
            help = f"write `{other}: …`" if key in _OTHER_NAMES else did_you_mean(str(key), KEYS)
            yield Problem(code="H402", message=f"a task has no key `{key}`", path=(key,), on="key", help=help)
    if not {"schedule", "every"} & (data.keys() | stood_in_for):
        help = 'add `every: 15m`, or `schedule: "0 6 * * *"`'
        yield Problem(code="H403", message="a task needs a schedule", on="key", help=help)
    for key, help in (
        ("task", "begin the file with `task: the-name`"),
        ("source", "add `source: NAME`, the source of its events"),
        ("script", "add `script: NAME.js`"),
    ):
        if key not in data and key not in stood_in_for:
            yield Problem(code="H403", message=f"a task needs `{key}`", on="key", help=help)
