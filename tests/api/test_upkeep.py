"""The periodic tasks of a server."""

import asyncio

import pytest
import structlog.testing

from api import upkeep
from api.forgetting import Forgettings
from api.upkeep import Upkeep
from effects.clock import ManualClock
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from engine.ports.records import ProfileWrite, Unit
from engine.ports.resolve import require_profile
from engine.profile.document import Part, Profile, WaitStub
from engine.profile.grouping import DUE_AT_ONCE, tombstone
from engine.profile.linking import new_link
from engine.project.project import Settings
from engine.project.retention import Retention
from engine.tracking.pipeline.pipeline import Pipeline
from storage.memory import MemoryStore
from tests.projects import project
from tests.storage.build import event, mark, rejected, run


class Unfinished(MemoryStore):
    """A store with something left half done."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 3
        self.swept = asyncio.Event()

    async def sweep(self) -> int:
        finished, self.left = self.left, 0
        self.swept.set()
        return finished


class Begun(MemoryStore):
    """A store in which a merge of `p-1` with `p-2` was begun."""

    async def unsettled(self, limit: int) -> list[str]:
        return ["p-2"][:limit]


def pipeline(store: MemoryStore, settings: Settings) -> Pipeline:
    clock = ManualClock(now=1_000)  # documents of the builders are from 5 to 10
    return Pipeline(project(settings=settings), store, ScriptedPerformer(), clock, new_id)


@pytest.mark.parametrize(
    ("retention", "left"),
    [
        pytest.param(Retention(), (1, 1, 1), id="nothing unless it is said"),
        pytest.param(Retention({"events": 994, "runs": 2_000, "rejected": 500}), (0, 1, 0), id="what is too old"),
    ],
)
async def test_records_beyond_their_retention_are_dropped(retention: Retention, left: tuple[int, int, int]) -> None:
    store = MemoryStore()
    await store.commit(Unit(events=(event(),), runs=(run(),), rejected=(rejected(),)))
    await Upkeep(pipeline(store, Settings(retention=retention))).retain()
    counts = await store.counts()
    assert (counts["events"], counts["runs"], counts["rejected"]) == left


async def test_marks_beyond_the_window_are_forgotten() -> None:
    store = MemoryStore()
    await store.commit(Unit(marks=(mark("old", at=10), mark("new", at=999))))
    await Upkeep(pipeline(store, Settings(window_ms=100))).forget()
    assert list(await store.marks("web", ("old", "new"))) == ["new"]


async def test_a_sweepable_store_finishes_interrupted_work() -> None:
    store = Unfinished()
    await Upkeep(pipeline(store, Settings())).sweep()
    assert store.left == 0
    await Upkeep(pipeline(MemoryStore(), Settings())).sweep()


async def test_a_merge_that_was_not_committed_is_set_apart_and_logged() -> None:
    store = Begun()
    parts = {id: Part(id, created=5, base=5, last=5) for id in ("p-1", "p-2")}
    documents = (Profile("p-1", 5, version=1, parts=parts), Profile("p-2", 5, version=1, merged_into="p-1"))
    await store.commit(Unit(profiles=tuple([ProfileWrite(document, 0) for document in documents])))
    served = pipeline(store, Settings())
    served.report_apart = upkeep.log_apart
    with structlog.testing.capture_logs() as logs:
        await Upkeep(served).settle()
        await Upkeep(served).settle()
    assert [(await require_profile(store, id)).ids for id in parts] == [("p-1",), ("p-2",)]
    assert logs == [{"event": "a profile was set apart", "log_level": "info", "ids": 2, "profiles": 2}]


async def test_a_merge_that_was_begun_and_holds_is_written_with_the_time_at_which_its_waits_end() -> None:
    store = Begun()
    parts = {id: Part(id, created=5, base=5, last=5) for id in ("p-1", "p-2")}
    links = {link.id: link for link in [new_link(id, "proof", "pii.email:1") for id in parts]}
    waits = (WaitStub("r", 1, "flow", "p-2", 5, 5_000),)
    whole = Profile("p-1", 5, version=1, parts=parts, links=links, waits=waits, due=DUE_AT_ONCE)
    await store.commit(Unit(profiles=(ProfileWrite(whole, 0), ProfileWrite(tombstone(Profile("p-2", 5), "p-1"), 0))))
    await Upkeep(pipeline(store, Settings())).settle()
    profile = await require_profile(store, "p-2")
    assert (profile.version, profile.due, profile.waits) == (2, 5_000, waits)


async def test_a_running_server_does_this_periodically(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "SWEEP_FIRST", 0)
    store = Unfinished()
    served = pipeline(store, Settings())
    async with upkeep.upkeep(served, Forgettings(served)):
        await store.swept.wait()
    assert asyncio.all_tasks() == {asyncio.current_task()}
