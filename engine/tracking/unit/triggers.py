"""Triggers: which flows of a project an event type may start, remembered per type."""

from functools import cached_property

from engine.flow.plan import Flow
from engine.project.project import Project
from engine.tracking.unit.event import SEGMENT_ENTERED, SEGMENT_LEFT

MAX_TYPES = 10_000  # remembered; a stranger can invent more


class Triggers:
    """The flows of a project by event type, in the order of their names."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[str, tuple[tuple[Flow, ...], tuple[Flow, ...]]] = {}

    @cached_property
    def segment_events(self) -> bool:
        """Whether any flow is triggered by segments that are entered or left."""
        return self.listens_to_segment(True) or self.listens_to_segment(False)

    def listens_to_segment(self, entered: bool) -> bool:
        """Whether a flow is triggered by segments that are entered, or left."""
        return bool(self.of_system(SEGMENT_ENTERED if entered else SEGMENT_LEFT))

    def of_system(self, type: str) -> tuple[Flow, ...]:
        """The flows that a system event starts: those that name it. A glob such as `*` means clients' events."""
        return tuple(flow for flow in self.of(type)[0] if type in flow.trigger.events)

    def of(self, type: str) -> tuple[tuple[Flow, ...], tuple[Flow, ...]]:
        """The flows whose trigger takes this event type, and the others."""
        found = self._known.get(type)
        if found is None:
            takes = tuple(flow for flow in self.project.flows if flow.trigger.matches_type(type))
            quiet = tuple(flow for flow in self.project.flows if flow not in takes)
            if len(self._known) >= MAX_TYPES:
                self._known.clear()
            found = self._known[type] = (takes, quiet)
        return found
