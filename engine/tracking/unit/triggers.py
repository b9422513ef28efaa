"""Triggers: the flows of a project that an event type may start, cached by type."""

import zlib
from functools import cached_property

from engine.flow.plan import Flow
from engine.project.project import Project
from engine.tracking.unit.event import SEGMENT_ENTERED, SEGMENT_LEFT

MAX_TYPES = 10_000  # cached; any sender can invent more


class FlowsByType(dict[str, tuple[tuple[Flow, ...], tuple[Flow, ...]]]):
    """For each event type, the flows whose trigger takes it, and the others, both in the order of their names."""

    def __init__(self, flows: tuple[Flow, ...]) -> None:
        super().__init__()
        self._flows = flows

    def __missing__(self, type: str) -> tuple[tuple[Flow, ...], tuple[Flow, ...]]:
        takes = tuple([flow for flow in self._flows if flow.trigger.matches_type(type)])
        others = tuple([flow for flow in self._flows if flow not in takes])
        if len(self) >= MAX_TYPES:
            self.clear()
        self[type] = takes, others
        return takes, others


class Triggers:
    """The flows of a project by the event that starts them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        usual = project.settings.keep("finished")
        self.kept_shares = {flow.name: usual if flow.keep is None else flow.keep for flow in project.flows}
        self.by_type = FlowsByType(project.flows)

    def is_kept(self, outcome: str, event: str, flow: str) -> bool:
        """Whether the trace of a run with this outcome is kept; by chance, but the same in each try."""
        share = self.kept_share(outcome, flow)
        return share > 0 and zlib.crc32(f"{event}{flow}".encode()) % 10_000 < share * 10_000

    def kept_share(self, outcome: str, flow: str) -> float:
        """Return the share of a flow's uneventful runs with this outcome that are kept."""
        usual = self.project.settings.keep(outcome)
        return self.kept_shares.get(flow, usual) if outcome == "finished" else usual

    @cached_property
    def segment_events(self) -> bool:
        """Whether any flow is triggered by segments that are entered or left."""
        return self.listens_to_segment(True) or self.listens_to_segment(False)

    def listens_to_segment(self, entered: bool) -> bool:
        """Whether a flow is triggered by segments that are entered, or left."""
        return bool(self.of_system(SEGMENT_ENTERED if entered else SEGMENT_LEFT))

    def of_system(self, type: str) -> tuple[Flow, ...]:
        """Return the flows that a system event starts: those that name it. A glob such as `*` means clients' events."""
        return tuple(flow for flow in self.by_type[type][0] if type in flow.trigger.events)
