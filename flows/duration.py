"""Durations in project files, such as `7d` or `24h`."""

from engine.language.duration import read_duration
from engine.problem import KeyPath, Problem


def duration_ms(text: str, at: KeyPath, problems: list[Problem]) -> int | None:
    """Milliseconds; None for a text that is no duration or a duration of zero, which is added to `problems`."""
    duration = read_duration(text)
    if not duration:
        remedy = "write a whole number and a unit, e.g. 7d or 24h"
        problems.append(Problem(code="H119", message=f"`{text}` is not a duration", path=at, help=remedy))
    return duration or None
