"""Profiles that a running server looks at again."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from api import segment_refresh, upkeep
from api.forgetting import Forgettings
from api.segment_refresh import SegmentRefresh
from engine.tracking.operations.reevaluation import progress_of
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.operations.test_reevaluation import LAPSED, swap
from tests.engine.tracking.pipeline.test_segment_events import SET, revenue
from tests.projects import project


async def shop(count: int, **segments: Any) -> tuple[Collector, MemoryStore]:
    """A collector over a store with so many profiles."""
    store = MemoryStore()
    collector = Collector(project(SET, segments=segments), store)
    for i in range(count):
        await collector.track(revenue(i, session=f"s-{i}"))
    return collector, store


async def test_the_log_reports_the_progress_of_the_re_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_refresh, "MAX_RENEWED", 1)
    collector, _ = await shop(201)
    await SegmentRefresh(collector.pipeline).renew()
    swap(collector, project(SET, segments={"all": "profile.traits.revenue >= 0"}))
    work = SegmentRefresh(collector.pipeline)
    with capture_logs() as logs:
        for _ in range(5):
            await work.renew()
    reported = [(line["event"], line["looked"], line["of"], line["changed"]) for line in logs]
    assert reported == [
        ("profiles are being evaluated after a change to segments", 100, 201, 100),
        ("all profiles were evaluated after a change to segments", 201, 201, 201),
    ]


async def test_a_server_logs_no_change_of_segments_on_a_new_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_refresh, "MAX_RENEWED", 1)
    collector, store = await shop(201, all="profile.traits.revenue >= 0")
    work = SegmentRefresh(collector.pipeline)
    with capture_logs() as logs:
        for _ in range(5):
            await work.renew()
    progress = await progress_of(store)
    assert progress is not None
    assert (progress.looked, progress.ended is None, logs) == (201, False, [])


async def test_a_server_logs_no_change_of_segments_for_a_project_without_segments() -> None:
    collector, _ = await shop(2, all="profile.traits.revenue >= 0")
    await SegmentRefresh(collector.pipeline).renew()
    swap(collector, project(SET))
    with capture_logs() as logs:
        await SegmentRefresh(collector.pipeline).renew()
    assert logs == []


async def test_a_restarted_server_logs_no_progress_again() -> None:
    collector, _ = await shop(2)
    await SegmentRefresh(collector.pipeline).renew()
    with capture_logs() as logs:
        await SegmentRefresh(collector.pipeline).renew()
    assert logs == []


class Watched(MemoryStore):
    """A store that tells when a note is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed = asyncio.Event()

    async def keep_note(self, name: str, doc: bytes) -> None:
        await super().keep_note(name, doc)
        self.renewed.set()


async def test_a_running_server_does_this_periodically(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_refresh, "SECONDS", 0.01)
    store = Watched()
    collector = Collector(project(SET, segments=LAPSED), store)
    await collector.track(revenue(1))
    async with upkeep.upkeep(collector.pipeline, Forgettings(collector.pipeline)):
        await store.renewed.wait()
    assert asyncio.all_tasks() == {asyncio.current_task()}
