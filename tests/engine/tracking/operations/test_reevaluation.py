"""Profiles that are looked at again: when time has passed, and when the segments have changed."""

from typing import Any

import pytest
from msgspec import structs

from engine.language.expression import compile_condition
from engine.ports.store import Store
from engine.project.project import Project
from engine.project.segment import Segment
from engine.tracking.operations.reevaluation import BATCH, Reevaluation, progress_of
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.conftest import Opener
from tests.engine.tracking.pipeline.test_segment_events import HISTORY, SET, history, revenue
from tests.engine.tracking.woken import timers
from tests.projects import SHOP, payload, project

DAY = 86_400_000
LAPSED = {"lapsed": "profile.metadata.last_seen < now - days(30)"}


def again(collector: Collector) -> Reevaluation:
    """The object that re-evaluates the profiles of a collector's store."""
    return Reevaluation(collector.pipeline)


def swap(collector: Collector, other: Project) -> None:
    """Serve another project from now on."""
    collector.pipeline.use(other)


async def visitors(collector: Collector, count: int) -> list[str]:
    """So many profiles, each with one event and a revenue of its number."""
    return [(await collector.track(revenue(i, session=f"s-{i}")))["profile"]["id"] for i in range(count)]


async def versions(store: Store, ids: list[str]) -> list[int]:
    """How often each profile has been written."""
    found = [await store.profile(id) for id in ids]
    return [profile.version for profile in found if profile is not None]


async def test_those_that_are_due_are_looked_at_and_no_others(store: Store) -> None:
    collector = Collector(project(SET, HISTORY, segments=LAPSED), store)
    early = await visitors(collector, 3)
    collector.clock.advance(DAY)
    late = (await collector.track(revenue(9, session="late")))["profile"]["id"]
    assert await timers(collector.pipeline).turn(1, 100) == 0
    collector.clock.advance(29 * DAY + 1)
    before = await versions(store, [late])
    assert await timers(collector.pipeline).turn(1, 100) == 3
    for id in early:
        assert (await collector.profile(id))["segments"] == ["lapsed"]
        assert await history(collector, id) == ["entered lapsed"]
    assert (await versions(store, [late]), await timers(collector.pipeline).turn(1, 100)) == (before, 0)


async def test_a_profile_is_looked_at_where_sources_have_schemas(store: Store) -> None:
    collector = Collector(project(SET, segments=LAPSED, sources=(structs.replace(SHOP, schema="learn"),)), store)
    (id,) = await visitors(collector, 1)
    collector.clock.advance(31 * DAY)
    assert await timers(collector.pipeline).turn(1, 100) == 1
    assert (await collector.profile(id))["segments"] == ["lapsed"]


async def test_a_profile_that_has_come_back_meanwhile_is_due_later(store: Store) -> None:
    collector = Collector(project(SET, segments=LAPSED), store)
    (id,) = await visitors(collector, 1)
    collector.clock.advance(20 * DAY)
    await collector.track(revenue(0, session="s-0"))
    collector.clock.advance(11 * DAY)
    assert await timers(collector.pipeline).turn(1, 100) == 1  # as it was due when it was first seen
    assert (await collector.profile(id))["segments"] == []
    assert await timers(collector.pipeline).turn(1, 100) == 0
    collector.clock.advance(20 * DAY)
    assert await timers(collector.pipeline).turn(1, 100) == 1
    assert (await collector.profile(id))["segments"] == ["lapsed"]


async def test_only_so_many_are_looked_at_at_once(store: Store) -> None:
    collector = Collector(project(SET, segments=LAPSED), store)
    await visitors(collector, 5)
    collector.clock.advance(31 * DAY)
    looked = [await timers(collector.pipeline).turn(1, 2) for _ in range(4)]
    assert looked == [2, 2, 1, 0]


async def test_a_merged_profile_is_re_evaluated_once_and_its_tombstones_never(store: Store) -> None:
    recognise = """
    flow: recognise
    trigger: {event: login}
    nodes: {a: {profile.merge: {pii.email: ann@example.com}}}
    """
    collector = Collector(project(SET, recognise, HISTORY, segments=LAPSED), store)
    for session in ("one", "two"):
        answer = await collector.track(payload("login", session=session))
    collector.clock.advance(31 * DAY)
    assert await timers(collector.pipeline).turn(1, 100) == 1
    assert await history(collector, answer["profile"]["id"]) == ["entered lapsed"]


async def test_two_servers_over_one_store_run_each_segment_event_once(opened: Opener) -> None:
    collectors = [Collector(project(SET, HISTORY, segments=LAPSED), opened()) for _ in range(2)]
    (id,) = await visitors(collectors[0], 1)
    for collector in collectors:
        collector.clock.advance(31 * DAY)
        await timers(collector.pipeline).turn(1, 100)
    assert await history(collectors[1], id) == ["entered lapsed"]


async def test_a_due_profile_that_another_server_has_changed_is_read_from_the_store(opened: Opener) -> None:
    steady = Segment(name="steady", condition=compile_condition("profile.traits.revenue > 100"), for_ms=5000)
    ours, theirs = [Collector(project(SET, segments={"steady": steady}), opened()) for _ in range(2)]
    (id,) = await visitors(ours, 1)  # our server has this version, which is never due, in its cache
    await theirs.track(revenue(200, session="s-0"))
    ours.clock.advance(5000)
    assert await timers(ours.pipeline).turn(1, 100) == 1
    assert (await ours.profile(id))["segments"] == ["steady"]
    assert await timers(ours.pipeline).turn(1, 100) == 0


async def test_re_evaluation_caches_the_profile_that_it_has_read(opened: Opener) -> None:
    ours, theirs = [Collector(project(SET), opened()) for _ in range(2)]
    (id,) = await visitors(ours, 1)
    await theirs.track(revenue(200, session="s-0"))
    await again(ours)._reevaluate_all([id])
    cached = ours.pipeline.cache.profile(id)
    assert cached is not None
    assert cached.profile.version == 2


# ---- the segments have changed --------------------------------------------------------------------------------------


async def test_when_segments_change_all_profiles_are_looked_at_and_only_some_written(store: Store) -> None:
    collector = Collector(project(SET, HISTORY, segments={"rich": "profile.traits.revenue >= 8"}), store)
    ids = await visitors(collector, 10)
    first = await again(collector).renew(1, 1000)
    assert (first.looked, first.changed, first.ended is not None) == (10, 0, True)
    before = await versions(store, ids)
    segments: dict[str, Any] = {"rich": "profile.traits.revenue >= 6", "poor": "profile.traits.revenue < 1"}
    swap(collector, project(SET, HISTORY, segments=segments))
    done = await again(collector).renew(1, 1000)
    assert (done.of, done.looked, done.changed) == (10, 10, 3)
    found = [(await collector.profile(id))["segments"] for id in ids]
    assert found == [["poor"], *([] for _ in range(5)), *(["rich"] for _ in range(4))]
    moved = [after - was for was, after in zip(before, await versions(store, ids), strict=True)]
    assert moved == [1, 0, 0, 0, 0, 0, 1, 1, 0, 0]
    assert await history(collector, ids[6]) == ["entered rich"]


async def test_a_segment_that_is_taken_away_is_left_in_silence(store: Store) -> None:
    collector = Collector(project(SET, HISTORY, segments={"rich": "profile.traits.revenue >= 0"}), store)
    (id,) = await visitors(collector, 1)
    swap(collector, project(SET, HISTORY))
    assert (await again(collector).renew(1, 1000)).changed == 1
    assert (await collector.profile(id))["segments"] == []
    assert await history(collector, id) == ["entered rich"]


async def test_it_is_done_once(store: Store) -> None:
    collector = Collector(project(SET, segments=LAPSED), store)
    await visitors(collector, 3)
    work = again(collector)
    done = await work.renew(1, 1000)
    collector.clock.advance(1000)
    assert await work.renew(1, 1000) is done
    assert await again(collector).renew(1, 1000) == done


async def test_it_goes_on_where_it_ended_also_in_another_process(opened: Opener) -> None:
    count = 2 * BATCH + 5
    collector = Collector(project(SET), opened())
    ids = await visitors(collector, count)
    other = project(SET, segments={"all": "profile.traits.revenue >= 0"})
    swap(collector, other)
    begun = await again(collector).renew(1, 1)
    assert (begun.of, begun.looked, begun.ended) == (count, BATCH, None)
    reader = Collector(other, opened())
    assert await progress_of(reader.store) == begun
    halfway = await again(reader).renew(1, 1)
    assert (halfway.begun, halfway.looked) == (begun.begun, 2 * BATCH)
    done = await again(reader).renew(1, 1000)
    assert (done.looked, done.changed) == (count, count)
    assert [(await reader.profile(id))["segments"] for id in ids] == [["all"]] * count


async def test_a_re_evaluation_starts_again_when_the_segments_change_before_its_end(store: Store) -> None:
    collector = Collector(project(SET), store)
    await visitors(collector, BATCH + 1)
    swap(collector, project(SET, segments={"all": "profile.traits.revenue >= 0"}))
    await again(collector).renew(1, 1)
    swap(collector, project(SET, segments={"none": "profile.traits.revenue < 0"}))
    done = await again(collector).renew(1, 1000)
    assert (done.looked, done.changed) == (BATCH + 1, BATCH)  # those that had entered `all` leave it


async def test_a_re_evaluation_with_a_cursor_of_another_store_starts_again(store: Store) -> None:
    collector = Collector(project(SET, segments=LAPSED), store)
    await visitors(collector, 2)
    work = again(collector)
    progress = await work.renew(1, 0)
    work._known = structs.replace(progress, after="bogus", ended=None)
    assert (await work.renew(1, 1000)).looked == 2


@pytest.mark.parametrize("window", ["for_ms", "within_ms"])
async def test_a_window_that_is_new_begins_when_it_is_first_looked_at(store: Store, window: str) -> None:
    collector = Collector(project(SET), store)
    (id,) = await visitors(collector, 1)
    segment = Segment(name="s", condition=compile_condition("profile.traits.revenue == 0"), **{window: 5000})
    swap(collector, project(SET, segments={"s": segment}))
    await again(collector).renew(1, 1000)
    assert (await collector.profile(id))["segments"] == ([] if window == "for_ms" else ["s"])
    collector.clock.advance(5000)
    assert await timers(collector.pipeline).turn(1, 100) == (window == "for_ms")
    assert (await collector.profile(id))["segments"] == ["s"]
