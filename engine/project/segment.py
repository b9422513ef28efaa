"""Segments: which profiles belong to them, and when time alone may change that.

Only the view of a profile and the time decide, so every evaluation at one time has the same result. Between two commits
a profile does not change, so the results of a condition in between can be computed later (`with_time_passed`): windows
are exact, however late a profile is evaluated.
"""

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct, json, structs
from msgspec.structs import force_setattr

from engine.language.derived import WRITTEN_AT
from engine.language.expression import Condition, Read
from engine.language.time_changes import TimeChange, next_time, time_changes_of
from engine.language.zone import TIMEZONE
from engine.profile.document import Path, Profile, Standing
from engine.profile.operations import Operation
from engine.profile.owed import earliest
from engine.profile.written_at import written_at

MAX_AHEAD: Final = 8  # moments that are tried for the next change; the last is returned even if it changes nothing
MAX_BEHIND: Final = 1_000  # passed moments that are evaluated

MAX_KNOWN_PATHS: Final = 1_000  # of operations; a payload can bring new ones

NO_STANDING: Final = Standing()


class Segment(Struct, frozen=True, kw_only=True):
    """A named set of profiles: those whose `condition` holds, or those that flows added (`manual`).

    A profile enters once the condition has held for `for_ms`, and leaves once that has not been so for `within_ms`.
    """

    name: str
    description: str = ""
    manual: bool = False
    condition: Condition | None = None
    for_ms: int = 0
    within_ms: int = 0
    time_changes: tuple[TimeChange, ...] = ()  # derived from the condition

    def __post_init__(self) -> None:
        """Raises `ProblemError` when the times at which the condition changes cannot be computed."""
        force_setattr(self, "time_changes", () if self.condition is None else time_changes_of(self.condition))

    @property
    def windowed(self) -> bool:
        """Whether earlier results of the condition count."""
        return bool(self.for_ms or self.within_ms)


class SegmentRules:
    """The segments of a project that have a condition, sorted by name, and how they are evaluated.

    `names` are their names. `timed` says that time alone may change a membership, `windowed` that a segment has a
    window. `timezone` is the zone of conditions that name none.
    """

    def __init__(self, segments: Iterable[Segment], timezone: str = "UTC") -> None:
        self.rules: tuple[tuple[str, Condition, Segment], ...] = tuple(
            (segment.name, segment.condition, segment)
            for segment in sorted(segments, key=lambda segment: segment.name)
            if segment.condition is not None
        )
        self.names = frozenset(name for name, _, _ in self.rules)
        self.timezone = timezone
        self.timed = any(segment.time_changes or segment.windowed for _, _, segment in self.rules)
        self.windowed = any(segment.windowed for _, _, segment in self.rules)
        self._paths = tuple([(name, _paths_read(condition)) for name, condition, _ in self.rules])
        self._known_paths: dict[Path, frozenset[str]] = {}
        self.reads_all = any(read.path == ("profile",) for _, condition, _ in self.rules for read in condition.reads)
        self.reads_times = any(map(_reads_times, (read for _, condition, _ in self.rules for read in condition.reads)))

    @property
    def version(self) -> str:
        """A hash (32 hexadecimal digits) of all that decides about membership: names, conditions, windows, the zone."""
        rules = [(name, condition.source, segment.for_ms, segment.within_ms) for name, condition, segment in self.rules]
        zone = "" if self.timezone == "UTC" else self.timezone  # projects without a zone keep their version
        return sha256(json.encode(rules) + zone.encode()).hexdigest()[:32]

    def holds(self, scope: Mapping[str, Any], names: Collection[str] | None = None) -> dict[str, bool]:
        """Return whether each condition holds, or only those of `names`; `scope` is one of `scope_of`."""
        if names is None:
            return {name: condition.test(scope) for name, condition, _ in self.rules}
        return {name: condition.test(scope) for name, condition, _ in self.rules if name in names}

    def touched(self, operations: Iterable[Operation]) -> frozenset[str]:
        """Return the segments whose conditions may read something that these operations change."""
        return frozenset().union(*[self._read_at(operation.path) for operation in operations])

    def _read_at(self, changed: Path) -> frozenset[str]:
        """Return the segments whose conditions read something at, above or below a path of the profile."""
        found = self._known_paths.get(changed)
        if found is None:
            if len(self._known_paths) >= MAX_KNOWN_PATHS:
                self._known_paths.clear()
            found = frozenset(name for name, paths in self._paths if any(_overlap(changed, path) for path in paths))
            self._known_paths[changed] = found
        return found

    def members(self, profile: Profile, holds: Mapping[str, bool], at: int) -> tuple[str, ...]:
        """Return the segments that the profile belongs to; `holds` is what `holds` returned, for all conditions."""
        if not self.windowed:
            return tuple([name for name, _, _ in self.rules if holds[name]])
        return tuple(sorted(name for name, standing in self._standing(profile, holds, at).items() if standing.since))

    def scope_of(
        self, profile: Profile, view: dict[str, Any], at: int, pending: tuple[Operation, ...] | None = None
    ) -> dict[str, Any]:
        """The data of a profile that conditions read. `pending` are its unit's operations, not committed yet."""
        if self.reads_times and pending is not None:
            times = {**view["metadata"], "version": profile.version + 1}
            if pending:
                times["updated"] = max([at, *(part.last + 1 for part in profile.parts.values())])
            view = {**view, "metadata": times}
        return {
            "profile": view,
            "now": at,
            TIMEZONE: self.timezone,
            "stored_profile": profile,
            "operations": pending or (),
            WRITTEN_AT: written_at,
        }

    def with_time_passed(self, profile: Profile, view: dict[str, Any], at: int) -> Profile:
        """Return the profile with its standing updated for the time between its last evaluation and `at` (ms).

        Only segments with windows need this. `view` is the view of the stored profile.
        """
        if not self.windowed or profile.due is None or profile.due >= at:
            return profile
        passed = profile.due <= profile.evaluated_at  # it is that of a wait, or the profile is to be evaluated at once
        if passed and not (profile.waits and profile.evaluated_at):
            return profile
        standing = dict(profile.standing)
        scope = self.scope_of(profile, view, at)
        for name, condition, segment in self.rules:
            if segment.windowed and segment.time_changes:
                known = standing.get(name, NO_STANDING)
                moment: int | None = profile.due  # nothing changes before it
                if passed:
                    scope["now"] = profile.evaluated_at
                    moment = next_time(segment.time_changes, scope)
                for _ in range(MAX_BEHIND):
                    if moment is None or moment >= at:
                        break
                    scope["now"] = moment
                    known = _next_standing(known, segment, moment, holds=condition.test(scope))
                    moment = next_time(segment.time_changes, scope)
                standing[name] = known
        return structs.replace(profile, standing=standing)

    def with_membership(
        self, profile: Profile, view: dict[str, Any], at: int, holds: Mapping[str, bool] | None = None
    ) -> Profile:
        """The profile with how it stands at `at`, and when time alone changes that or ends one of its waits.

        `holds` is what `holds` returned for the same profile and time, when the caller has it.
        """
        if not self.rules and not profile.conditional and profile.due is None and not profile.waits:
            return profile
        scope = self.scope_of(profile, view, at)
        holds = self.holds(scope) if holds is None else holds
        standing = self._standing(profile, holds, at)
        members = tuple(sorted([name for name, one in standing.items() if one.since]))
        due = self._due(profile.due, standing, scope, at, holds) if self.timed else None
        if profile.waits:
            due = earliest(due, profile.waits)
        judged = at if self.timed else 0
        return structs.replace(profile, conditional=members, standing=standing, evaluated_at=judged, due=due)

    def next_change(self, segment: Segment, profile: Profile, view: dict[str, Any], at: int) -> int | None:
        """Return when (ms) time alone may change the membership of a profile that was evaluated at `at`, or None."""
        if segment.condition is None:
            return None
        standing, scope = profile.standing.get(segment.name, NO_STANDING), self.scope_of(profile, view, at)
        return min(_changes(segment.condition, segment, standing, scope, at), default=None)

    def _standing(self, profile: Profile, holds: Mapping[str, bool], at: int) -> dict[str, Standing]:
        """How the profile stands with each segment; those of which there is nothing to remember are left out."""
        standing: dict[str, Standing] = {}
        for name, _, segment in self.rules:
            before = profile.standing.get(name, NO_STANDING)
            if segment.windowed:
                now = _next_standing(before, segment, at, holds=holds[name])
            else:
                now = (before if before.since else Standing(since=at)) if holds[name] else NO_STANDING
            if now != NO_STANDING:
                standing[name] = now
        return standing

    def _due(
        self,
        before: int | None,
        standing: Mapping[str, Standing],
        scope: dict[str, Any],
        at: int,
        holds: Mapping[str, bool],
    ) -> int | None:
        """When time alone may change something. An earlier time that was set before stays: a store moves it less."""
        ahead = before if before is not None and at < before else None
        moments = [
            moment
            for name, condition, segment in self.rules
            for moment in _changes(condition, segment, standing.get(name, NO_STANDING), scope, at, ahead, holds[name])
        ]
        soonest = min(moments, default=None)
        return soonest if soonest is None or ahead is None else min(soonest, ahead)


def _next_standing(before: Standing, segment: Segment, at: int, *, holds: bool) -> Standing:
    """Return the standing in a windowed segment after its condition was evaluated to `holds` at `at` (ms)."""
    holds_since, held_until = before.holds_since, before.held_until
    if holds and not holds_since:
        holds_since = at
    elif not holds and holds_since:
        if at - holds_since > segment.for_ms:
            held_until = at
        holds_since = 0
    if holds_since and at - holds_since >= segment.for_ms:
        return Standing(since=before.since or holds_since + segment.for_ms, holds_since=holds_since)
    if held_until and segment.within_ms and at < held_until + segment.within_ms:
        return Standing(since=before.since or at, holds_since=holds_since, held_until=held_until)
    return Standing(holds_since=holds_since)


def _changes(
    condition: Condition,
    segment: Segment,
    standing: Standing,
    scope: dict[str, Any],
    at: int,
    enough: int | None = None,
    holds: bool | None = None,
) -> Iterable[int]:
    """Yield moments (ms) after `at`; at the earliest of them time may change the standing in a segment.

    From `enough` on it does not matter which. `holds` says whether the condition holds at `at`, if that is known.
    """
    if segment.time_changes:
        moment = _first_change(condition, segment.time_changes, scope, at, enough, holds)
        if moment is not None:
            yield moment
    if standing.holds_since and at - standing.holds_since < segment.for_ms:
        yield standing.holds_since + segment.for_ms
    if standing.held_until:
        yield standing.held_until + segment.within_ms


def _first_change(
    condition: Condition,
    time_changes: tuple[TimeChange, ...],
    scope: dict[str, Any],
    at: int,
    enough: int | None,
    before: bool | None,
) -> int | None:
    """Return the first moment (ms) at which time alone changes a condition, or an earlier one; None if there is none.

    The search stops at the first moment that is not before `enough`.
    """
    ahead = {**scope, "now": at}
    for _ in range(MAX_AHEAD):
        moment = time_changes[0](ahead) if len(time_changes) == 1 else next_time(time_changes, ahead)
        if moment is None or (enough is not None and moment >= enough):
            return moment
        before = condition.test(ahead) if before is None else before
        ahead["now"] = moment
        if condition.test(ahead) != before:
            return moment
    return int(ahead["now"])


def _paths_read(condition: Condition) -> tuple[Path, ...]:
    """Return the paths within a profile that a condition reads; () for one that any write changes."""
    paths = {() if _reads_times(read) else read.path[1:] for read in condition.reads if read.path[0] == "profile"}
    return tuple(sorted(paths))


def _overlap(one: Path, other: Path) -> bool:
    """Whether one path leads to the other, or beyond it."""
    return all(a == b for a, b in zip(one, other, strict=False))


def _reads_times(read: Read) -> bool:
    """Return whether a read includes times or the version, which the commit itself changes."""
    path = read.path
    return path in {("profile",), ("profile", "metadata")} or (
        path[:2] == ("profile", "metadata") and path[2] in {"updated", "version"}
    )
