"""The store of a flow test: a memory store that records all that is committed during a step."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, json

from engine.ports.outbox import SELF, StoredDelivery
from engine.ports.records import ProfileWrite, RecordWrite, StoredEvent, Unit
from engine.profile.declared import Fields
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.tracking.unit.event import child_id
from storage.memory import MemoryStore


class SegmentChange(Struct, frozen=True):
    """The profile with these ids has entered or left a segment."""

    ids: frozenset[str]
    segment: str
    entered: bool


def _emitted_ids(event: str, run: dict[str, Any]) -> Iterator[str]:
    """Yield the ids that the events emitted by a run may have (`child_event`), and some that none has."""
    emitting = [
        step["node"] for step in run.get("steps", ()) for op in step.get("operations", ()) if op["op"] == "emit"
    ]
    for node in set(emitting):
        for index in range(len(emitting)):
            yield child_id(event, run["flow"], node, index)


class RecordingStore(MemoryStore):
    """Records the events, runs, deliveries and segment changes that are committed after `start_step`.

    `emitters` holds, by the id of an emitted event, the flow that emitted it; `nodes_run` flow and node of every node
    that has run in any step.
    """

    def __init__(self, fields: Fields) -> None:
        super().__init__(bytes(32))  # a fixed secret: ids that are derived from it are the same in every run
        self._fields = fields
        self._segments: dict[str, frozenset[str]] = {}
        self.nodes_run: set[tuple[str, str]] = set()
        self.start_step()

    def start_step(self) -> None:
        """Drop the records of the previous step."""
        self.events: list[StoredEvent] = []
        self.runs: list[dict[str, Any]] = []
        self.emitters: dict[str, str] = {}
        self.deliveries: list[StoredDelivery] = []
        self.segment_changes: list[SegmentChange] = []

    async def commit(self, unit: Unit) -> None:
        """Commit the unit and record it. Raises `Conflict`."""
        await super().commit(unit)
        self.events += unit.events
        runs = [json.decode(run.trace) for run in unit.runs]
        self.runs += runs
        for record, run in zip(unit.runs, runs, strict=True):
            self.emitters |= dict.fromkeys(_emitted_ids(record.event, run), record.flow)
        new = [change.record for change in unit.changes if isinstance(change, RecordWrite) and not change.expected]
        deliveries = [record for record in new if isinstance(record, StoredDelivery)]
        self.emitters |= {each.id: each.flow for each in deliveries if each.target == SELF}
        self.deliveries += [each for each in deliveries if each.target != SELF]
        self.nodes_run |= {(run["flow"], step["node"]) for run in runs for step in run.get("steps", ())}
        for write in unit.profiles:
            if write.profile.merged_into is None:
                self.segment_changes += self._changes(write)

    def view(self, profile: Profile) -> dict[str, Any]:
        """Return the profile as flows and answers contain it."""
        return profile_view(profile, fold(profile, self._fields))

    def _changes(self, write: ProfileWrite) -> Iterator[SegmentChange]:
        """Yield the segments that a profile has entered and left. A profile that merges with a member enters none."""
        view = write.view or self.view(write.profile)
        ids, now = frozenset(write.profile.ids), frozenset(view["segments"])
        before = frozenset().union(*(self._segments.get(id, frozenset()) for id in ids))
        self._segments.update(dict.fromkeys(ids, now))
        for segment in sorted(before ^ now):
            yield SegmentChange(ids, segment, segment in now)
