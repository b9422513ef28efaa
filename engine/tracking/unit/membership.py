"""Membership: the segments of a unit's profile while its events run, and the events of those entered and left. Pure."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.flow.effect import Attach, Effect, Merge
from engine.flow.plan import PlannedNode
from engine.flow.run_state import RunState
from engine.profile.document import Members, Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.tracking.unit.event import MAX_DEPTH, UnitEvent, segment_event
from engine.tracking.unit.triggers import Triggers

MAX_CROSSINGS = 1_000  # segments that a unit's profile enters and leaves, where flows are triggered by it


class Membership:
    """What the flows have been told of, and what is still to be told. `now` (ms) is the unit's time."""

    def __init__(self, triggers: Triggers, now: int, save: bool) -> None:
        self._triggers = triggers
        self._project = triggers.project
        self._save = save  # whether events of the system are stored, when no event of a client caused them
        self._members: set[str] = set()  # the segments that the profile is known to belong to
        self._crossings = 0
        self.at = now  # the time of segments: a profile's never goes back
        self.queued_events: deque[UnitEvent] = deque()  # segments that were entered or left, in that order

    def begin(self, profile: Profile, tree: dict[str, Any]) -> Profile:
        """Begin with a profile that shows `tree`; gives it as it stands by now."""
        self.at = max(self.at, profile.evaluated_at)
        self._members = set(tree["segments"])
        return self._project.segment_rules.with_time_passed(profile, tree, self.at)

    def with_segments(self, state: RunState) -> RunState:
        """The sight with its profile's conditional segments recomputed."""
        conditional, profile = self._project.segment_rules, state.profile
        if profile is None or not (conditional.rules or profile.conditional):
            return state
        self.at = max(self.at, profile.evaluated_at)
        view = state.scope["profile"]
        held = conditional.members(profile, conditional.scope_of(profile, view, self.at, state.operations), self.at)
        gone = set(profile.conditional) - conditional.names  # they have no condition any more
        if gone:
            gone -= set(fold(profile).get("segments", ()))
        manual = [name for name in view["segments"] if name not in conditional.names and name not in gone]
        segments = Members(sorted([*manual, *held]))
        if segments == view["segments"] and held == profile.conditional:
            return state
        told = state.with_scope({**state.scope, "profile": {**view, "segments": segments}})
        told.profile = msgspec.structs.replace(profile, conditional=held)
        return told

    def with_current_standing(self, profile: Profile, effects: list[tuple[PlannedNode, Effect]]) -> Profile:
        """A profile that was attached, with what its segments remember brought up to date."""
        conditional, rules = self._project.segment_rules, self._project.settings.fields
        for _, effect in effects:
            if isinstance(effect, Attach) and conditional.windowed:
                before = profile_view(effect.profile, fold(effect.profile, rules))
                return conditional.with_time_passed(profile, before, max(self.at, profile.evaluated_at))
        return profile

    def brought(self, effect: Effect) -> Iterable[str]:
        """The segments to which a profile belonged that an effect brings in: joining it is not entering them."""
        if not self._triggers.segment_events or not isinstance(effect, Merge | Attach):
            return ()
        profile = effect.other if isinstance(effect, Merge) else effect.profile
        return (*fold(profile).get("segments", ()), *profile.conditional)

    def segment_events(self, state: RunState, parent: UnitEvent | None, known: Iterable[str] = ()) -> list[UnitEvent]:
        """An event for each segment that the profile has entered or left, if a flow is triggered by it."""
        if not self._triggers.segment_events or state.profile is None:
            return []
        before, now = self._members | set(known), set(state.scope["profile"]["segments"])
        profile, found = state.profile, list[UnitEvent]()
        for name in sorted(before ^ now):
            entered = name in now
            if name in self._project.segments and self._triggers.listens_to_segment(entered):
                of = profile.id, str(profile.version), str(self._crossings + len(found))
                found.append(segment_event(entered, name, of, parent, self._save))
        return found

    def queue_events(self, state: RunState, crossings: list[UnitEvent]) -> None:
        """Take it that the flows will be told of these, and that the profile belongs where `sight` says."""
        self.queued_events.extend(crossings)
        self._crossings += len(crossings)
        if state.profile is not None:
            self._members = set(state.scope["profile"]["segments"])

    def in_a_circle(self, event: UnitEvent, crossings: list[UnitEvent]) -> bool:
        """Whether these are more than a unit may make of one event."""
        return bool(crossings) and (event.depth >= MAX_DEPTH or self._crossings + len(crossings) > MAX_CROSSINGS)
