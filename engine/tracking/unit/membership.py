"""Membership: the segments of a unit's profile while its events run, and the events of those entered and left. Pure.

Conditional segments are evaluated when the unit starts, and after each run that changes the profile. The second time
only those conditions are tested that read something which the run has changed; and the last evaluation is the one that
is committed. So in a unit no condition is tested more than twice, unless several runs change what it reads, or profiles
are merged or attached, or the clock was set back.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from engine.flow.effect import Attach, Effect, Merge
from engine.flow.run_state import RunState
from engine.profile.document import Members, Part, Profile
from engine.profile.fold import fold
from engine.profile.operations import Operation
from engine.profile.profile_view import profile_view
from engine.tracking.unit.event import MAX_DEPTH, SEGMENT_ENTERED, SEGMENT_LEFT, UnitEvent, segment_event
from engine.tracking.unit.triggers import Triggers

MAX_SEGMENT_EVENTS = 1_000  # segments that a unit's profile enters and leaves, where flows are triggered by it


class _Evaluation(Struct, frozen=True):
    """Which conditions hold for a profile after some operations of its unit."""

    profile: Profile
    operations: tuple[Operation, ...]
    at: int
    holds: Mapping[str, bool]


class Membership:
    """The segments that flows know of, and the segment events that are still to run. `now` (ms) is the unit's time."""

    def __init__(self, triggers: Triggers, now: int, save: bool) -> None:
        self._triggers = triggers
        self.project = triggers.project
        self._save = save  # whether events of the system are stored, when no event of a client caused them
        self._members: set[str] = set()  # the segments that the profile is known to belong to
        self._parts: Mapping[str, Part] = {}  # those of the profile when its segments were last compared
        self._event_count = 0
        self._last: _Evaluation | None = None
        self._now = now
        self.at = now  # the time of segments: a profile's never goes back
        self.heard: set[str] = set()  # the patterns of events for which runs of the profile wait
        self.queued_events: deque[UnitEvent] = deque()  # segments that were entered or left, in that order

    def begin(self, profile: Profile, view: dict[str, Any]) -> Profile:
        """Begin with a profile and its view; return it with its windowed segments brought up to date."""
        self.at = max(self.at, profile.evaluated_at)
        self._members, self._parts = set(view["segments"]), profile.parts
        return self.project.segment_rules.with_time_passed(profile, view, self.at)

    def updated(self, state: RunState, parent: UnitEvent | None, effects: Iterable[Effect] = ()) -> RunState:
        """Return the state with its profile's segments evaluated; queues the events of those entered and left.

        `effects` are those that no run has made. So no run has caused these events, and none can be refused for them:
        those over the limit are left out.
        """
        state = self._with_segments(state)
        segment_events: list[UnitEvent] = []
        if self._triggers.segment_events or self.heard:
            segment_events = self._segment_events(state, parent, self._brought(effects, state))
        self.queue_events(state, segment_events[: MAX_SEGMENT_EVENTS - self._event_count])
        return state

    def after_run(
        self, state: RunState, event: UnitEvent, effects: list[tuple[str, Effect]]
    ) -> tuple[RunState, list[UnitEvent]]:
        """Return the state after a run that has changed the profile, with its segments evaluated; and segment events.

        The events are not queued yet: the run may still be refused.
        """
        state = self._with_segments(state)
        if not (self._triggers.segment_events or self.heard):
            return state, []
        brought = self._brought([effect for _, effect in effects], state)
        return state, self._segment_events(state, event, brought)

    def with_membership(self, profile: Profile, view: dict[str, Any], state: RunState) -> Profile:
        """Return a profile as it is committed, with its segments; `state` is the unit's last one.

        The last evaluation is reused where it saw what is committed: the same profile and operations, at the time at
        which they are committed.
        """
        rules, last = self.project.segment_rules, self._last
        holds = None
        if last is not None and last.profile is state.profile and not rules.reads_all:
            same = last.operations == state.operations and last.at == self.at == self._now
            holds = last.holds if same else None
        return rules.with_membership(profile, view, self.at, holds)

    def with_current_standing(self, profile: Profile, effects: list[tuple[str, Effect]]) -> Profile:
        """Return a profile that was attached, with its windowed segments brought up to date."""
        segment_rules, fields = self.project.segment_rules, self.project.settings.fields
        for _, effect in effects:
            if isinstance(effect, Attach) and segment_rules.windowed:
                before = profile_view(effect.profile, fold(effect.profile, fields))
                return segment_rules.with_time_passed(profile, before, max(self.at, profile.evaluated_at))
        return profile

    def queue_events(self, state: RunState, segment_events: list[UnitEvent]) -> None:
        """Queue these segment events, and make the segments of `state` the new baseline."""
        self.queued_events.extend(segment_events)
        self._event_count += len(segment_events)
        if state.profile is not None:
            self._members = set(state.scope["profile"]["segments"])
            self._parts = state.profile.parts

    def in_a_circle(self, event: UnitEvent, segment_events: list[UnitEvent]) -> bool:
        """Whether these are more than a unit may make of one event."""
        return bool(segment_events) and (
            event.depth >= MAX_DEPTH or self._event_count + len(segment_events) > MAX_SEGMENT_EVENTS
        )

    # ---- evaluating -------------------------------------------------------------------------------------------------

    def _with_segments(self, state: RunState) -> RunState:
        """Return the state with its profile's conditional segments recomputed."""
        rules, profile = self.project.segment_rules, state.profile
        if profile is None or not (rules.rules or profile.conditional):
            return state
        self.at = max(self.at, profile.evaluated_at)
        view = state.scope["profile"]
        holds = self._evaluate(state, profile, view)
        conditional = rules.members(profile, holds, self.at)
        gone = set(profile.conditional) - rules.names  # they have no condition any more
        if gone:
            gone -= set(fold(profile).get("segments", ()))
        manual = [name for name in view["segments"] if name not in rules.names and name not in gone]
        segments = Members(sorted([*manual, *conditional]))
        if segments != view["segments"] or conditional != profile.conditional:
            view = view.copy()
            view["segments"] = segments
            state = state.with_scope({**state.scope, "profile": view})
            state.profile = profile = msgspec.structs.replace(profile, conditional=conditional)
        self._last = _Evaluation(profile, state.operations, self.at, holds)
        return state

    def _evaluate(self, state: RunState, profile: Profile, view: dict[str, Any]) -> Mapping[str, bool]:
        """Return which conditions hold, testing only those that may differ from the last evaluation."""
        rules, last, done = self.project.segment_rules, self._last, state.operations
        scope = rules.scope_of(profile, view, self.at, done)
        if last is None or last.profile is not profile or last.at != self.at:
            return rules.holds(scope)
        known = len(last.operations)
        if last.operations != done[:known]:  # of a run that failed afterwards
            return rules.holds(scope)
        touched = rules.touched(done[known:])
        return {**last.holds, **rules.holds(scope, touched)} if touched else last.holds

    def _brought(self, effects: Iterable[Effect], state: RunState) -> set[str]:
        """Return the segments of the profiles that effects bring in: joining them is not entering these.

        What only some of them brought, while others were set apart, has not been left by those who joined.
        """
        found, parts = set[str](), state.profile.parts.keys() if state.profile is not None else frozenset[str]()
        for effect in effects:
            other = (
                effect.other if isinstance(effect, Merge) else effect.profile if isinstance(effect, Attach) else None
            )
            if other is not None:
                names = {*fold(other).get("segments", ()), *other.conditional}
                found |= names if other.parts.keys() <= parts else names & set(state.scope["profile"]["segments"])
        return found

    def _is_heard(self, entered: bool) -> bool:
        """Whether a flow is triggered by segments that are entered, or left, or a run waits for that."""
        if self._triggers.listens_to_segment(entered):
            return True
        return (SEGMENT_ENTERED if entered else SEGMENT_LEFT) in self.heard

    def _segment_events(self, state: RunState, parent: UnitEvent | None, known: Iterable[str] = ()) -> list[UnitEvent]:
        """Return an event for each segment that the profile has entered or left, if a flow is triggered by it."""
        if state.profile is None:
            return []
        before, now = self._members | set(known), set(state.scope["profile"]["segments"])
        profile, found = state.profile, list[UnitEvent]()
        if self._parts is not profile.parts and not self._parts.keys() <= profile.parts.keys():
            before &= now  # others were set apart from it: it has not left what it was in through them only
        for name in sorted(before ^ now):
            entered = name in now
            if name in self.project.segments and self._is_heard(entered):
                of = profile.id, str(profile.version), str(self._event_count + len(found))
                found.append(segment_event(entered, name, of, parent, self._save))
        return found
