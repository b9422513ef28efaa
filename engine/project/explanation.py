"""Explaining a segment: whether a profile belongs to it, since when, why, and when that may change by itself."""

from typing import Any

from engine.language.duration import show_duration
from engine.problem import did_you_mean
from engine.profile.cellpath import member_cell
from engine.profile.document import Profile, Standing
from engine.profile.fold import fold
from engine.profile.profile_view import shown
from engine.project.project import Project
from engine.project.segment import Segment


class NoSegment(Exception):
    """The project has no such segment. The message says what was probably meant."""


def explained(project: Project, person: Profile, name: str, now: int) -> dict[str, Any]:
    """How a profile stands with a segment at `now` (ms), as a document. Raises `NoSegment`.

    `member` is what is stored; `late` says that time has changed it since, which a server is about to notice.
    """
    segment = project.segments.get(name)
    if segment is None:
        help = did_you_mean(name, project.segments) or "segments/ has none yet"
        raise NoSegment(f"there is no segment `{name}`; {help}")
    seen = shown(person, fold(person, project.settings.fields))
    told = {"profile": person.id, **described(segment), "member": name in seen["segments"]}
    if segment.condition is None:
        return told | {"since": _added(person, name) if told["member"] else None}
    return told | _by_condition(project, person, segment, seen, now)


def described(segment: Segment) -> dict[str, Any]:
    """A segment as its file says it."""
    told: dict[str, Any] = {"segment": segment.name, "description": segment.description, "manual": segment.manual}
    if segment.condition is not None:
        told["condition"] = segment.condition.source
    windows = {"for": segment.for_ms, "within": segment.within_ms}
    return told | {key: show_duration(ms) for key, ms in windows.items() if ms}


def _by_condition(
    project: Project, person: Profile, segment: Segment, seen: dict[str, Any], now: int
) -> dict[str, Any]:
    assert segment.condition is not None  # noqa: S101
    at = max(now, person.judged)
    rules = project.conditional
    person = rules.caught_up(person, seen, at)
    said = segment.condition.explain(rules.scope_of(person, seen, at))
    settled = rules.settled(person, seen, at)
    standing = settled.standing.get(segment.name, Standing())
    stored = person.standing.get(segment.name, Standing())
    told: dict[str, Any] = {"holds": said.value, "values": said.values, "since": stored.since or None}
    if segment.windowed:
        told |= {"holds_since": standing.holds or None, "held_until": standing.held or None}
    return told | {
        "late": (segment.name in settled.conditional) != (segment.name in person.conditional),
        "due": rules.next_change(segment, settled, seen, at),
    }


def _added(person: Profile, name: str) -> int | None:
    """When a profile was last put into a segment by hand."""
    cell = member_cell("segments", name)
    times = [part.base + part.times.get(cell, 0) for part in person.parts.values() if cell in part.cells]
    return max(times, default=None)
