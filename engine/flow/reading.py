"""Checks of the paths that expressions read: the fields of each root, and the names of the project's segments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from engine.flow.names import ProjectNames
from engine.language.expression import Read
from engine.language.fields import FIELDS
from engine.language.kinds import ANYTHING, LIST, Shape, Shapes
from engine.language.path import show_path
from engine.language.refusal import BARE_TEXT, CONSENT_READ, UNKNOWN_FIELD
from engine.problem import KeyPath, Problem, closest, did_you_mean

_PERSONAL: Final = frozenset({"email", "phone", "name", "first_name", "last_name", "address", "birthday"})
HOMES: Final = {"event": "properties", "session": "properties", "profile": "traits"}  # of the fields that authors name


def check_reads(reads: Iterable[tuple[KeyPath, Read]], names: ProjectNames) -> list[Problem]:
    """The problems of `reads`, each with the key path of its expression in the document."""
    problems: list[Problem] = []
    for at, read in reads:
        problem = unknown_field(read)
        if problem is not None:
            problems.append(problem.below(at))
        problems += [problem.below(at) for problem in _unknown_segments(read, names)]
    return problems


def unknown_field(read: Read, roots: Shapes = FIELDS) -> Problem | None:
    """The problem of a read whose path leads to no field of its root, or None. Of roots that are not given, none."""
    if read.path[:2] == ("profile", "counters") and not read.function:
        return _counter_problem(read)
    shape = roots.get(read.path[0], ANYTHING)
    for depth, name in enumerate(read.path[1:], 1):
        if shape.fields is None:
            return _list_problem(read, depth) if shape.kinds == LIST else None
        if name not in shape.fields:
            return _field_problem(read, depth, shape.fields)
        shape = shape.fields[name]
    return None


def field_names(root: str) -> Mapping[str, Shape]:
    """The fields directly below a root by name."""
    return FIELDS.get(root, ANYTHING).fields or {}


def consents_read(reads: Iterable[Read]) -> Iterable[Problem]:
    """Warnings about conditions that read the stored value of a consent, which does not show if it is given now."""
    for read in reads:
        if read.path[:2] == ("profile", "consents") and len(read.path) == 3 and not read.function:
            message = f"the value of `{show_path(read.path)}` does not say whether this consent is given now"
            help = f"write `consents: {read.path[2]}` in the node or the flow; without the consent a node is skipped"
            yield Problem(
                code=CONSENT_READ,
                message=message,
                offset=read.offset,
                length=read.length,
                help=help,
                severity="warning",
            )


def worded_consents(raw: Any, at: KeyPath) -> Iterable[Problem]:
    """Warnings about consents that are set to a text, which grants no consent: YAML reads `yes` as a text."""
    for key, value in raw.items() if isinstance(raw, Mapping) else ():
        if str(key).startswith("consents.") and isinstance(value, str) and "{{" not in value and value[:2] != "$.":
            message = f"the text `{value}` grants no consent"
            help = "write true or false, or use `consent.set`"
            yield Problem(code=BARE_TEXT, message=message, path=(*at, key), help=help, severity="warning")


def _counter_problem(read: Read) -> Problem:
    name = read.path[2] if len(read.path) > 2 else "orders"
    help = f"write `counted('{name}', '7d')`: a counter is read for a window of time"
    message = f"`{show_path(read.path)}` is not a number"
    return Problem(code=UNKNOWN_FIELD, message=message, offset=read.offset, length=read.length, help=help)


def _list_problem(read: Read, depth: int) -> Problem | None:
    """The problem of a read of a list's item by a name, or None."""
    name, above = read.path[depth], show_path(read.path[:depth])
    if name.removeprefix("-").isdecimal():
        return None
    help = f"write `{above} | length`" if name in {"length", "size", "count"} else f"write `'{name}' in {above}`"
    message = f"`{above}` is a list, so it has no field `{name}`"
    return Problem(code=UNKNOWN_FIELD, message=message, offset=read.offset, length=read.length, help=help)


def _field_problem(read: Read, depth: int, fields: Mapping[str, Shape]) -> Problem:
    above, name, below = read.path[:depth], read.path[depth], read.path[depth + 1 :]
    message = f"`{show_path(above)}` has no field `{name}`"
    near = closest(name, fields) or _other_name(name, below, fields)
    home = HOMES.get(above[0]) if depth == 1 else None
    if not fields:
        message, help = f"`{show_path(above)}` has no fields", f"write `{show_path(above)}`"
        help = f"write `{show_path(above)} | length`" if name in {"length", "size"} else help
    elif near is not None:
        help = f"did you mean `{show_path((*above, near, *below))}`?"
    elif depth == 1 and name in FIELDS:
        suggestion = (name, *below) if below or "id" not in field_names(name) else (name, "id")
        help = f"did you mean `{show_path(suggestion)}`?"
    elif home is not None:
        home = "pii" if above == ("profile",) and name in _PERSONAL else home
        help = f"did you mean `{show_path((*above, home, name, *below))}`?"
    else:
        help = did_you_mean(name, fields)
    return Problem(code=UNKNOWN_FIELD, message=message, offset=read.offset, length=read.length, help=help)


def _other_name(name: str, below: Sequence[str], fields: Mapping[str, Shape]) -> str | None:
    """Return the field that other tools call `name`, if something is read below it."""
    meant = "properties" if below and name in {"property", "props", "payload", "attributes"} else None
    return meant if meant in fields else None


def _unknown_segments(read: Read, names: ProjectNames) -> Iterable[Problem]:
    for literal in read.segment_literals:
        problem = names.problem("segment", literal.text)
        if problem is not None:
            yield Problem(
                code=problem.code,
                message=problem.message,
                offset=literal.offset,
                length=literal.length,
                help=problem.help,
            )
