"""Conditions of a flow's document: compiled, with the paths that they read."""

from collections.abc import Mapping
from typing import Any

from engine.flow.names import ProjectNames
from engine.flow.reading import check_reads, consents_read
from engine.language.expression import Condition, Read, compile_condition
from engine.language.path import ROOTS
from engine.problem import KeyPath, Problem, ProblemError


def read_when(raw: Mapping[str, Any], at: KeyPath, names: ProjectNames, problems: list[Problem]) -> Condition | None:
    """The `when:` of the trigger or node `raw` at `at`, or None. Adds its errors to `problems`."""
    if "when" not in raw:
        return None
    when = read_condition(raw["when"], (*at, "when"), problems, names.roots)
    problems += check_reads(placed_reads(when, (*at, "when")), names)
    return when


def read_condition(raw: Any, at: KeyPath, problems: list[Problem], roots: frozenset[str] = ROOTS) -> Condition | None:
    """Compile the condition `raw` at `at`, which may read `roots`.

    Returns None when it has errors, and adds them to `problems`.
    """
    if isinstance(raw, bool):
        raw = "true" if raw else "false"
    if not isinstance(raw, str):
        help = "join the conditions by `and` or `or` in one text" if isinstance(raw, list) else ""
        if isinstance(raw, Mapping):
            help = "write the condition itself; where a branch leads is in the node's `next: {PORT: other_node}`"
        message = "a condition is a text such as `event.properties.total > 0`"
        problems.append(Problem(code="H114", message=message, path=at, help=help))
        return None
    try:
        condition = compile_condition(raw, roots)
    except ProblemError as error:
        problems.append(error.problem.below(at))
        return None
    problems += [problem.below(at) for problem in consents_read(condition.reads)]
    return condition


def placed_reads(condition: Condition | None, at: KeyPath) -> list[tuple[KeyPath, Read]]:
    """The reads of a condition, each with the key path `at` of the condition."""
    return [(at, read) for read in condition.reads] if condition is not None else []
