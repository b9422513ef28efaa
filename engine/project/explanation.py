"""Explanation of a segment: whether and since when a profile belongs to it, why, and when time may change that."""

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
    """The project has no such segment. The message suggests the one that was probably meant."""


def explain_segment(project: Project, profile: Profile, name: str, now: int) -> dict[str, Any]:
    """Return a profile's membership in a segment at `now` (ms), as a document. Raises `NoSuchSegment`.

    `member` is the stored membership; `late` says that time has changed it since, which a server will notice soon.
    """
    segment = project.segments.get(name)
    if segment is None:
        help = did_you_mean(name, project.segments) or "segments/ has none yet"
        raise NoSuchSegment(f"there is no segment `{name}`; {help}")
    view = profile_view(profile, fold(profile, project.settings.fields))
    document = {"profile": profile.id, **describe_segment(segment), "member": name in view["segments"]}
    if segment.condition is None:
        return document | {"since": _added_at(profile, name) if document["member"] else None}
    return document | _explain_condition(project, profile, segment, view, now)


def describe_segment(segment: Segment) -> dict[str, Any]:
    """Return the settings of a segment as a document, with the keys of its file."""
    document: dict[str, Any] = {"segment": segment.name, "description": segment.description, "manual": segment.manual}
    if segment.condition is not None:
        document["condition"] = segment.condition.source
    windows = {"for": segment.for_ms, "within": segment.within_ms}
    return document | {key: show_duration(ms) for key, ms in windows.items() if ms}


def _explain_condition(
    project: Project, profile: Profile, segment: Segment, view: dict[str, Any], now: int
) -> dict[str, Any]:
    assert segment.condition is not None  # noqa: S101
    at = max(now, profile.evaluated_at)
    rules = project.segment_rules
    profile = rules.with_time_passed(profile, view, at)
    explanation = segment.condition.explain(rules.scope_of(profile, view, at))
    current = rules.with_membership(profile, view, at)
    standing = current.standing.get(segment.name, Standing())
    stored = profile.standing.get(segment.name, Standing())
    document: dict[str, Any] = {
        "holds": explanation.value,
        "values": explanation.values,
        "since": stored.since or None,
    }
    if segment.windowed:
        document |= {"holds_since": standing.holds_since or None, "held_until": standing.held_until or None}
    return document | {
        "late": (segment.name in current.conditional) != (segment.name in profile.conditional),
        "due": rules.next_change(segment, current, view, at),
    }


def _added_at(profile: Profile, name: str) -> int | None:
    """Return when (ms) a profile was last added to a manual segment, or None."""
    cell = member_cell("segments", name)
    times = [part.base + part.times.get(cell, 0) for part in profile.parts.values() if cell in part.cells]
    return max(times, default=None)
