"""Why a profile belongs to a segment."""

import pytest

from engine.ports.store import Store
from engine.profile.document import Profile
from engine.project.explanation import NoSuchSegment, explain_segment
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.pipeline.test_segment_events import SET, revenue
from tests.projects import project

COUNT = """
flow: count
trigger: {event: set}
nodes: {count: {profile.count: orders}}
"""
DAY = 86_400_000


async def stored(collector: Collector) -> Profile:
    """The profile of one event."""
    answer = await collector.track(revenue(200))
    profile = await collector.store.profile(answer["profile"]["id"])
    assert profile is not None
    return profile


async def test_the_condition_is_shown_with_what_it_reads(store: Store) -> None:
    condition = "counted('orders', '7d') > 0 and profile.traits.revenue > 100 and changed_at('traits.revenue') < now"
    collector = Collector(project(SET, COUNT, segments={"buyers": condition}), store)
    profile, now = await stored(collector), collector.clock.now()
    explanation = explain_segment(collector.pipeline.project, profile, "buyers", now)
    assert explanation["values"] == {
        "counted('orders', '7d')": 1,
        "profile.traits.revenue": 200,
        "changed_at('traits.revenue')": now + 1,  # a profile changes later than it was made
        "now": now,
    }
    assert (explanation["member"], explanation["holds"], explanation["since"], explanation["due"]) == (
        False,
        False,
        None,
        now + 2,
    )
    later = explain_segment(collector.pipeline.project, profile, "buyers", now + 5)
    assert (later["member"], later["holds"], later["late"]) == (False, True, True)
    assert 7 * DAY < later["due"] - now < 7 * DAY + 3_600_001


async def test_it_says_since_when(store: Store) -> None:
    collector = Collector(project(SET, segments={"rich": "profile.traits.revenue > 100"}), store)
    begun = collector.clock.now()
    await stored(collector)
    collector.clock.advance(DAY)
    profile = await stored(collector)
    explanation = explain_segment(collector.pipeline.project, profile, "rich", collector.clock.now())
    assert (explanation["member"], explanation["since"], explanation["late"], explanation["due"]) == (
        True,
        begun,
        False,
        None,
    )


@pytest.mark.parametrize(("segments", "help"), [
    pytest.param({"rich": "profile.traits.revenue > 100"}, "did you mean `rich`?", id="near"),
    pytest.param({"newsletter": None}, "known here: `newsletter`", id="none near"),
    pytest.param({}, "segments/ has none yet", id="none at all"),
])  # fmt: skip
async def test_an_unknown_segment_is_refused_with_the_known_ones(store: Store, segments, help) -> None:
    collector = Collector(project(SET, segments=segments), store)
    profile = await stored(collector)
    with pytest.raises(NoSuchSegment) as unknown:
        explain_segment(collector.pipeline.project, profile, "ritch", collector.clock.now())
    assert str(unknown.value) == f"there is no segment `ritch`; {help}"
