"""The stage of a flow test: a store that notes what is committed, a clock that is moved by hand, ids in sequence."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from msgspec import Struct, json, structs

from effects.clock import ManualClock
from engine.ports.records import ProfileWrite, StoredEvent, Unit
from engine.profile.declared import Fields
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from storage.memory import MemoryStore


class SegmentChange(Struct, frozen=True):
    """That the profile with these ids entered or left a segment."""

    ids: frozenset[str]
    segment: str
    entered: bool


class RecordingStore(MemoryStore):
    """A store that notes the events, runs and crossings of what is committed, since `begin`."""

    def __init__(self, fields: Fields) -> None:
        super().__init__(bytes(32))  # ids that are derived from it are the same in every run
        self._fields = fields
        self._segments: dict[str, frozenset[str]] = {}
        self.ran: set[tuple[str, str]] = set()  # flows and their nodes, in all steps
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self.events: list[StoredEvent] = []
        self.runs: list[dict[str, Any]] = []
        self.crossings: list[SegmentChange] = []

    async def commit(self, unit: Unit) -> None:
        """Write it, and note it."""
        await super().commit(unit)
        self.events += unit.events
        runs = [json.decode(run.trace) for run in unit.runs]
        self.runs += runs
        self.ran |= {(run["flow"], step["node"]) for run in runs for step in run.get("steps", ())}
        for write in unit.profiles:
            if write.profile.merged_into is None:
                self.crossings += self._crossed(write)

    def view(self, profile: Profile) -> dict[str, Any]:
        """A profile as flows and answers show it."""
        return profile_view(profile, fold(profile, self._fields))

    def _crossed(self, write: ProfileWrite) -> Iterator[SegmentChange]:
        """What a profile has entered and left; who joins a member enters nothing."""
        told = write.view or self.view(write.profile)
        ids, now = frozenset(write.profile.ids), frozenset(told["segments"])
        before = frozenset().union(*(self._segments.get(id, frozenset()) for id in ids))
        self._segments.update(dict.fromkeys(ids, now))
        for segment in sorted(before ^ now):
            yield SegmentChange(ids, segment, segment in now)


class TestClock(ManualClock):
    """Stands still until it is moved; only what waits for outside sees time pass."""

    def ticks(self) -> float:
        """Seconds of the loop."""
        return asyncio.get_running_loop().time()


class Ids:
    """Ids in sequence, in the form of real ones."""

    def __init__(self) -> None:
        self._drawn = 0

    def __call__(self) -> str:
        """The next id."""
        self._drawn += 1
        return f"{self._drawn:032x}"


def recording_store(project: Project) -> Project:
    """The project with every run traced, and every source allowed to be told."""
    return structs.replace(
        project,
        flows=tuple([replace(flow, keep=1.0) for flow in project.flows]),
        sources={name: structs.replace(source, debugger=True) for name, source in project.sources.items()},
    )
