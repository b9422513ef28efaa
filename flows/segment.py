"""`segments/*.yaml`: named sets of profiles."""

import re
from typing import Annotated, Any

from msgspec import Meta, Struct, field, structs

from engine.flow.reading import unknown_field
from engine.language.expression import Condition, Read, compile_condition
from engine.language.fields import FIELDS
from engine.language.findings import findings
from engine.language.hints import NO_ROOTS
from engine.language.path import ROOTS
from engine.language.refusal import UNKNOWN_ROOT
from engine.problem import Problem, ProblemError
from engine.project.segment import Segment
from flows.duration import duration_ms
from flows.typed import read_struct

READABLE = frozenset({"profile", "now"})  # segments are also evaluated without an event

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


class SegmentFile(Struct, frozen=True, kw_only=True):
    """The keys of a file in `segments/`."""

    segment: Annotated[str, Meta(description="The name by which flows call it")]
    description: str = ""
    condition: Annotated[str | None, Meta(description="Who belongs to it, e.g. profile.traits.revenue >= 500")] = None
    manual: Annotated[bool, Meta(description="Whether flows add and remove members by hand")] = False
    for_: Annotated[str | None, Meta(description="How long the condition must have held without a break, e.g. 7d")] = (
        field(default=None, name="for")
    )
    within: Annotated[
        str | None, Meta(description="How long a profile stays after the condition has ceased to hold, e.g. 30d")
    ] = None


def read_segment(data: Any) -> tuple[Segment | None, list[Problem]]:
    """The segment in `data`, or None with its problems."""
    file, problems = read_struct(SegmentFile, data, "a segment")
    if file is None:
        return None, problems
    if not _NAME.fullmatch(file.segment):
        message = f"`{file.segment}` is not a segment's name"
        problems.append(Problem(code="H404", message=message, path=("segment",), help="small letters, digits, - and _"))
    if (file.condition is None) is not file.manual:
        problems.append(_condition_or_manual(file))
    condition = _condition(file.condition, problems) if file.condition is not None else None
    for_ms, within_ms = (
        _window(file, key, text, problems) for key, text in (("for", file.for_), ("within", file.within))
    )
    failed = any(problem.severity == "error" for problem in problems)
    segment = None if failed else _segment(file, condition, for_ms, within_ms, problems)
    return segment, problems


def _segment(
    file: SegmentFile, condition: Condition | None, for_ms: int, within_ms: int, problems: list[Problem]
) -> Segment | None:
    try:
        return Segment(
            name=file.segment,
            description=file.description,
            manual=file.manual,
            condition=condition,
            for_ms=for_ms,
            within_ms=within_ms,
        )
    except ProblemError as error:
        problems.append(error.problem.below(("condition",)))
        return None


def _window(file: SegmentFile, key: str, text: str | None, problems: list[Problem]) -> int:
    """The length of a window in ms; 0 when there is none, or an invalid one, which is added to `problems`."""
    if text is None:
        return 0
    duration = duration_ms(text, (key,), problems)
    if duration and file.manual:
        message = f"`{file.segment}` is filled by hand, so there is no condition that `{key}` could apply to"
        problems.append(Problem(code="H413", message=message, path=(key,), on="key", help=f"drop `{key}`"))
    return duration or 0


def _condition_or_manual(file: SegmentFile) -> Problem:
    if file.manual:
        return Problem(
            code="H406",
            message=f"`{file.segment}` has a condition and `manual: true`",
            path=("manual",),
            on="key",
            help="keep one: the condition decides, or flows add and remove members",
        )
    return Problem(
        code="H406",
        message=f"`{file.segment}` has neither a condition nor `manual: true`",
        path=("segment",),
        on="key",
        help="add `condition: profile.traits.revenue >= 500` or `manual: true`",
    )


def _condition(text: str, problems: list[Problem]) -> Condition | None:
    try:
        condition = compile_condition(text, READABLE)
    except ProblemError as error:
        problems.append(_with_help(error.problem, text).below(("condition",)))
        return None
    unknown = [problem for read in condition.reads if (problem := unknown_field(read)) is not None]
    problems += [problem.below(("condition",)) for problem in [*unknown, *findings(condition, FIELDS)]]
    problems += [_reads_segments(read) for read in condition.reads if read.path[:2] == ("profile", "segments")]
    return condition


def _with_help(problem: Problem, text: str) -> Problem:
    """The same problem; for a root that only flows read with the remedy."""
    start = problem.offset or 0
    name = text[start : start + problem.length]
    of_flows = problem.code == UNKNOWN_ROOT and (name in ROOTS or NO_ROOTS.get(name, "").startswith("write `event"))
    help = "a segment reads only the stored profile: let a flow save the value first"
    return structs.replace(problem, help=help) if of_flows else problem


def _reads_segments(read: Read) -> Problem:
    return Problem(
        code="H407",
        message="a segment's condition cannot read segments: the result would depend on their order",
        path=("condition",),
        offset=read.offset,
        length=read.length,
        help="repeat the condition of the other segment",
    )
