"""Limits of a target that are no rate, no duration, or out of bounds."""

from collections.abc import Iterator

from engine.language.duration import read_duration, show_duration
from engine.problem import KeyPath, Problem
from engine.project.source import Target
from engine.project.target_limits import MAX_COUNT, MAX_GIVE_UP_MS, MAX_TIMEOUT_MS, read_rate
from flows.duration import duration_ms

MIN_TIMEOUT_MS = 100


def limit_problems(target: Target, at: KeyPath) -> Iterator[Problem]:
    """A problem for each limit of a target that has no meaning."""
    if target.rate is not None and read_rate(target.rate) is None:
        help = f"write a whole number up to {MAX_COUNT:,}, `/` and s, min, h or d, e.g. 50/s or 600/min"
        yield Problem(code="H404", message=f"`{target.rate}` is not a rate", path=(*at, "rate"), help=help)
    yield from _duration_problems(target.timeout, (*at, "timeout"), MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)
    yield from _duration_problems(target.give_up, (*at, "give_up"), 1, MAX_GIVE_UP_MS)


def _duration_problems(text: str, at: KeyPath, least: int, most: int) -> Iterator[Problem]:
    problems: list[Problem] = []
    duration_ms(text, at, problems)
    ms = read_duration(text)
    if ms and not least <= ms <= most:
        message = f"`{at[-1]}` is {show_duration(least)} to {show_duration(most)}, and this is {text}"
        problems.append(Problem(code="H404", message=message, path=at, help=f"at most `{show_duration(most)}`"))
    yield from problems
