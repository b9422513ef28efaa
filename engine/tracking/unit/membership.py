"""Membership: the segments of a unit's profile while its events run, and the events of those entered and left. Pure."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.flow.effect import Attach, Effect, Merge
from engine.flow.plan import PlannedNode
from engine.flow.run_state import Sight
from engine.profile.document import Members, Profile
from engine.profile.fold import fold
from engine.profile.profile_view import shown
from engine.tracking.unit.event import MOST_DEPTH, Being, segment_event
from engine.tracking.unit.triggers import Triggers

MOST_CROSSINGS = 1_000  # segments that a unit's profile enters and leaves, where flows are triggered by it


class Membership:
    """What the flows have been told of, and what is still to be told. `now` (ms) is the unit's time."""

    def __init__(self, triggers: Triggers, now: int, save: bool) -> None:
        self._triggers = triggers
        self._project = triggers.project
        self._save = save  # whether events of the system are stored, when no event of a client caused them
        self._members: set[str] = set()  # the segments that the profile is known to belong to
        self._crossings = 0
        self.at = now  # the time of segments: a profile's never goes back
        self.untold: deque[Being] = deque()  # segments that were entered or left, in that order

    def begin(self, person: Profile, tree: dict[str, Any]) -> Profile:
        """Begin with a profile that shows `tree`; gives it as it stands by now."""
        self.at = max(self.at, person.judged)
        self._members = set(tree["segments"])
        return self._project.conditional.caught_up(person, tree, self.at)

    def segmented(self, sight: Sight) -> Sight:
        """The sight with its profile's conditional segments recomputed."""
        conditional, person = self._project.conditional, sight.person
        if person is None or not (conditional.rules or person.conditional):
            return sight
        self.at = max(self.at, person.judged)
        profile = sight.scope["profile"]
        held = conditional.members(person, conditional.scope_of(person, profile, self.at, sight.operations), self.at)
        gone = set(person.conditional) - conditional.names  # they have no condition any more
        if gone:
            gone -= set(fold(person).get("segments", ()))
        manual = [name for name in profile["segments"] if name not in conditional.names and name not in gone]
        segments = Members(sorted([*manual, *held]))
        if segments == profile["segments"] and held == person.conditional:
            return sight
        told = sight.showing({**sight.scope, "profile": {**profile, "segments": segments}})
        told.person = msgspec.structs.replace(person, conditional=held)
        return told

    def as_it_stands(self, person: Profile, effects: list[tuple[PlannedNode, Effect]]) -> Profile:
        """A profile that was attached, with what its segments remember brought up to date."""
        conditional, rules = self._project.conditional, self._project.settings.fields
        for _, effect in effects:
            if isinstance(effect, Attach) and conditional.windowed:
                before = shown(effect.profile, fold(effect.profile, rules))
                return conditional.caught_up(person, before, max(self.at, person.judged))
        return person

    def brought(self, effect: Effect) -> Iterable[str]:
        """The segments to which a profile belonged that an effect brings in: joining it is not entering them."""
        if not self._triggers.crossings or not isinstance(effect, Merge | Attach):
            return ()
        person = effect.other if isinstance(effect, Merge) else effect.profile
        return (*fold(person).get("segments", ()), *person.conditional)

    def crossings(self, sight: Sight, parent: Being | None, known: Iterable[str] = ()) -> list[Being]:
        """An event for each segment that the profile has entered or left, if a flow is triggered by it."""
        if not self._triggers.crossings or sight.person is None:
            return []
        before, now = self._members | set(known), set(sight.scope["profile"]["segments"])
        person, found = sight.person, list[Being]()
        for name in sorted(before ^ now):
            entered = name in now
            if name in self._project.segments and self._triggers.takes_crossing(entered):
                of = person.id, str(person.version), str(self._crossings + len(found))
                found.append(segment_event(entered, name, of, parent, self._save))
        return found

    def cross(self, sight: Sight, crossings: list[Being]) -> None:
        """Take it that the flows will be told of these, and that the profile belongs where `sight` says."""
        self.untold.extend(crossings)
        self._crossings += len(crossings)
        if sight.person is not None:
            self._members = set(sight.scope["profile"]["segments"])

    def in_a_circle(self, event: Being, crossings: list[Being]) -> bool:
        """Whether these are more than a unit may make of one event."""
        return bool(crossings) and (event.depth >= MOST_DEPTH or self._crossings + len(crossings) > MOST_CROSSINGS)
