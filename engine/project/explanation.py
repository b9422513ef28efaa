"""Explaining a segment: whether a profile belongs to it, since when, why, and when that may change by itself."""

from typing import Any

from engine.language.duration import show_duration
from engine.problem import did_you_mean
from engine.profile.cellpath import member_cell
from engine.profile.document import Profile, Standing
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.project.segment import Segment


class NoSuchSegment(Exception):
    """The project has no such segment. The message says what was probably meant."""


def explain_segment(project: Project, profile: Profile, name: str, now: int) -> dict[str, Any]:
    """How a profile stands with a segment at `now` (ms), as a document. Raises `NoSuchSegment`.

    `member` is what is stored; `late` says that time has changed it since, which a server is about to notice.
    """
    segment = project.segments.get(name)
    if segment is None:
        help = did_you_mean(name, project.segments) or "segments/ has none yet"
        raise NoSuchSegment(f"there is no segment `{name}`; {help}")
    seen = profile_view(profile, fold(profile, project.settings.fields))
    told = {"profile": profile.id, **describe_segment(segment), "member": name in seen["segments"]}
    if segment.condition is None:
        return told | {"since": _added(profile, name) if told["member"] else None}
    return told | _by_condition(project, profile, segment, seen, now)


def describe_segment(segment: Segment) -> dict[str, Any]:
    """A segment as its file says it."""
    told: dict[str, Any] = {"segment": segment.name, "description": segment.description, "manual": segment.manual}
    if segment.condition is not None:
        told["condition"] = segment.condition.source
    windows = {"for": segment.for_ms, "within": segment.within_ms}
    return told | {key: show_duration(ms) for key, ms in windows.items() if ms}


def _by_condition(
    project: Project, profile: Profile, segment: Segment, seen: dict[str, Any], now: int
) -> dict[str, Any]:
    assert segment.condition is not None  # noqa: S101
    at = max(now, profile.evaluated_at)
    rules = project.segment_rules
    profile = rules.with_time_passed(profile, seen, at)
    said = segment.condition.explain(rules.scope_of(profile, seen, at))
    settled = rules.with_membership(profile, seen, at)
    standing = settled.standing.get(segment.name, Standing())
    stored = profile.standing.get(segment.name, Standing())
    told: dict[str, Any] = {"holds": said.value, "values": said.values, "since": stored.since or None}
    if segment.windowed:
        told |= {"holds_since": standing.holds_since or None, "held_until": standing.held_until or None}
    return told | {
        "late": (segment.name in settled.conditional) != (segment.name in profile.conditional),
        "due": rules.next_change(segment, settled, seen, at),
    }


def _added(profile: Profile, name: str) -> int | None:
    """When a profile was last put into a segment by hand."""
    cell = member_cell("segments", name)
    times = [part.base + part.times.get(cell, 0) for part in profile.parts.values() if cell in part.cells]
    return max(times, default=None)
