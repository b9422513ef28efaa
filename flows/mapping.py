"""Mappings in an author's file: `event:` of a webhook or an import, compiled and checked."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from engine.flow.hash_keys import unknown_hash_keys
from engine.flow.names import ProjectNames
from engine.language.expression import Condition, compile_condition
from engine.language.value import Value, compile_value
from engine.problem import KeyPath, Problem, ProblemError
from engine.project.mapping import EventMapping, MappedEvent
from flows.typed import suggest_key

WHEN: Final = "when"
FIELDS: Final = tuple(field.name for field in structs.fields(MappedEvent))
OBJECTS: Final = ("properties", "context")
NO_NAMES: Final = ProjectNames()


def read_mapping(
    data: Any, roots: frozenset[str], path: KeyPath, *, when: bool = True, names: ProjectNames = NO_NAMES
) -> tuple[EventMapping | None, list[Problem]]:
    """Return the mapping in `data`, or None with its problems. Its expressions read `roots`; `path` is its place.

    With `when` it may have a condition. `names` has the hash keys that it may use.
    """
    known = (WHEN, *FIELDS) if when else FIELDS
    if not isinstance(data, Mapping):
        message, help = "an event is a map of `type` and other fields", 'write `{type: order, user: "{{ … }}"}`'
        return None, [Problem(code="H404", message=message, path=path, help=help)]
    problems = [
        Problem(
            code="H402",
            message=f"an event has no `{key}`",
            path=(*path, key),
            on="key",
            help=suggest_key(str(key), path, known),
        )
        for key in data
        if key not in known
    ]
    if "type" not in data:
        help = "add `type: order-placed`"
        problems.append(Problem(code="H403", message="an event needs `type`", path=path, on="key", help=help))
    values: dict[str, Value] = {}
    for name in FIELDS:
        if name in data:
            values[name] = _value(name, data[name], roots, (*path, name), problems)
            for inner, use in values[name].expressions:
                problems += unknown_hash_keys((*path, name, *inner), use, names)
    condition = _condition(data[WHEN], roots, (*path, WHEN), problems) if when and WHEN in data else None
    problems += unknown_hash_keys((*path, WHEN), condition, names) if condition is not None else ()
    return (None if problems else EventMapping(values, condition)), problems


def _value(name: str, data: Any, roots: frozenset[str], path: KeyPath, problems: list[Problem]) -> Value:
    value, found = compile_value(data, roots, sparse="all" if name in OBJECTS else "none")
    problems += [problem.below(path) for problem in found]
    if name in OBJECTS and not isinstance(data, str | Mapping):
        help = f'write `{name}: "{{{{ body }}}}"`, or a map'
        problems.append(Problem(code="H404", message=f"`{name}` is an object", path=path, help=help))
    return value


def _condition(data: Any, roots: frozenset[str], path: KeyPath, problems: list[Problem]) -> Condition | None:
    if not isinstance(data, str):
        problems.append(Problem(code="H404", message="`when` is a condition", path=path, help="write it as a text"))
        return None
    try:
        return compile_condition(data, roots)
    except ProblemError as error:
        problems.append(error.problem.below(path))
        return None
