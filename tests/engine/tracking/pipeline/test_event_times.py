"""An event's own time: what flows see of it, what is stored, and what goes by it where a flow or a source says so."""

from typing import Any

import msgspec
import pytest
from msgspec import structs

from engine.language.written_time import written_time
from engine.ports.records import StoredEvent
from engine.ports.store import Store
from engine.project.project import Project, Settings
from engine.project.source import Source
from engine.tracking.intake.payload import read_track
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.unavailable_store import Shop
from tests.projects import SHOP, payload, project

NOW = 1_700_000_000_000  # of the collector's clock
SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
YEARS_AGO = NOW - 2000 * DAY

KEEP = """
flow: keep
trigger: {event: ordered}
nodes:
  keep: {profile.set: {traits.at: "{{ event.time }}", traits.late: "{{ event.late }}"}}
"""
COUNT = """
flow: count
trigger: {event: ordered}
nodes:
  count: {profile.count: orders}
"""
COUNT_OCCURRED = """
flow: count
trigger: {event: ordered}
nodes:
  count: {profile.count: {counters: orders, by: occurred}}
"""
COUNT_RECEIVED = """
flow: count
trigger: {event: ordered}
nodes:
  count: {profile.count: {counters: orders, by: received}}
"""
LINES = """
flow: lines
trigger: {event: basket}
nodes:
  one: {event.emit: {type: ordered}}
"""
NEWEST = """
flow: newest
trigger: {event: ordered, when: "event.time > profile.traits.city_at | default(0)"}
nodes:
  city: {profile.set: {traits.city: "{{ event.properties.city }}", traits.city_at: "{{ event.time }}"}}
"""
COUPON = """
flow: coupon
trigger: {event: coupon}
nodes:
  who: {profile.attach: {create: true}}
"""
BUYERS = {"recent": "counted('orders', '30d') > 0", "ever": "counted('orders', '400d') > 0"}
SLOW = structs.replace(SHOP, clock="skewed")
BY_OCCURRED = structs.replace(SHOP, times="occurred")


def ordered(time: int | None, **more: Any) -> dict[str, Any]:
    return payload({"type": "ordered", "id": "o-1", **({} if time is None else {"time": written_time(time)}), **more})


async def send(
    shop: Collector, time: int | None, sent: int | None = None, *, skewed: bool = False, type: str = "ordered"
) -> None:
    """Track an event whose client, in a protocol that says so, sent it at a time of its own clock."""
    intake = read_track(msgspec.json.encode(ordered(time, type=type)))
    event = structs.replace(intake.events[0], sent=sent, skewed=skewed)
    await shop.tracker.track(structs.replace(intake, events=(event,)), shop.pipeline.project.sources["shop"])


async def stored(store: Store, id: str = "o-1") -> StoredEvent:
    event = await store.event(id)
    assert event is not None
    return event


def of(source: Source, *flows: str, **more: Any) -> Project:
    return project(*flows, sources=(source,), **more)


@pytest.mark.parametrize(("source", "time", "sent", "skewed", "occurred"), [
    pytest.param(SHOP, None, None, False, NOW, id="no time"),
    pytest.param(SHOP, None, NOW + HOUR, False, NOW, id="no time, sent"),
    pytest.param(SHOP, NOW - HOUR, None, False, NOW - HOUR, id="a time"),
    pytest.param(SHOP, NOW + HOUR, NOW + HOUR, False, NOW, id="a clock that is ahead"),
    pytest.param(SHOP, NOW - 2 * HOUR, NOW - HOUR, False, NOW - 2 * HOUR, id="a clock behind"),
    pytest.param(SLOW, NOW - 2 * HOUR, NOW - HOUR, False, NOW - HOUR, id="a clock behind where clocks are slow"),
    pytest.param(SHOP, NOW - 2 * DAY, NOW - 2 * DAY, True, NOW, id="a protocol that corrects"),
    pytest.param(SHOP, NOW + HOUR, None, False, NOW, id="in the future"),
    pytest.param(SHOP, YEARS_AGO, None, False, YEARS_AGO, id="long ago"),
])  # fmt: skip
@pytest.mark.parametrize("away", [False, True], ids=["at once", "from the spool"])
async def test_flows_and_readers_see_when_an_event_occurred(
    shop: Shop, source: Source, time: int | None, sent: int | None, skewed: bool, occurred: int, away: bool
) -> None:
    shop = Shop(of(source, KEEP), shop.away, shop.spool)
    await shop.start()
    shop.away.away = away
    await send(shop, time, sent, skewed=skewed)
    shop.clock.advance(3 * HOUR if away else 0)
    await shop.back()
    event = await stored(shop.store)
    assert (event.received, event.occurred_at) == (NOW, occurred)
    assert event.time == (None if time is None else written_time(time))
    profile = await shop.profile(event.profile or "")
    assert profile["traits"] == {"at": occurred, "late": occurred == YEARS_AGO}


@pytest.mark.parametrize(("time", "kept"), [(None, None), (NOW, None), (NOW - HOUR, None), (NOW + HOUR, NOW)])
async def test_a_stored_event_repeats_no_time(store: Store, time: int | None, kept: int | None) -> None:
    await Collector(project(KEEP), store).track(ordered(time))
    assert (await stored(store)).occurred == kept


@pytest.mark.parametrize(("age", "late"), [(10 * DAY, False), (10 * DAY + 1, True)])
async def test_the_project_says_how_old_an_event_may_be(store: Store, age: int, late: bool) -> None:
    shop = Collector(project(KEEP, settings=Settings(oldest_ms=10 * DAY)), store)
    answer = await shop.track(ordered(NOW - age))
    assert (await shop.profile(answer["profile"]["id"]))["traits"]["late"] is late


async def test_the_debugger_shows_when_an_event_occurred(store: Store) -> None:
    flow = KEEP.replace("{event: ordered}", "{event: ordered, when: event.late == false or event.time < 5}")
    answer = await Collector(project(flow), store).track(ordered(YEARS_AGO))
    (run,) = answer["debugging"]["execution"]["o-1"]["runs"]
    assert run["reason"]["values"] == {"event.late": True, "event.time": YEARS_AGO}


async def test_an_emitted_event_occurred_when_its_parent_did(store: Store) -> None:
    shop = Collector(project(LINES, KEEP), store)
    answer = await shop.track(ordered(YEARS_AGO, type="basket"))
    assert (await shop.profile(answer["profile"]["id"]))["traits"] == {"at": YEARS_AGO, "late": True}
    (child,) = [one for one in await store.events_of(answer["profile"]["id"], 9) if one.parent == "o-1"]
    assert (child.time, child.occurred, child.received) == (None, YEARS_AGO, NOW)


@pytest.mark.parametrize(("source", "flow", "time", "segments"), [
    pytest.param(SHOP, COUNT, YEARS_AGO, ["ever", "recent"], id="it counts when it was received"),
    pytest.param(SHOP, COUNT_OCCURRED, YEARS_AGO, [], id="or when it occurred, as the flow says"),
    pytest.param(BY_OCCURRED, COUNT, YEARS_AGO, [], id="or its source"),
    pytest.param(BY_OCCURRED, COUNT_RECEIVED, YEARS_AGO, ["ever", "recent"], id="the flow decides against its source"),
    pytest.param(SHOP, COUNT_OCCURRED, NOW - 31 * DAY, ["ever"], id="in the windows that reach back to it"),
    pytest.param(SHOP, COUNT_OCCURRED, NOW - DAY, ["ever", "recent"], id="which may be all"),
    pytest.param(SHOP, COUNT_OCCURRED, NOW + 30 * SECOND, ["ever", "recent"], id="at the latest now"),
    pytest.param(SHOP, COUNT_OCCURRED, None, ["ever", "recent"], id="without a time as ever"),
])  # fmt: skip
async def test_an_event_counts_when_it_was_received_or_occurred(
    store: Store, source: Source, flow: str, time: int | None, segments: list[str]
) -> None:
    shop = Collector(of(source, flow, segments=BUYERS), store)
    answer = await shop.track(ordered(time))
    assert (await shop.profile(answer["profile"]["id"]))["segments"] == segments


async def test_an_event_that_counts_when_it_occurred_leaves_the_window_in_time(store: Store) -> None:
    shop = Collector(project(COUNT_OCCURRED, segments=BUYERS), store)
    answer = await shop.track(ordered(NOW - 29 * DAY))
    profile = await store.profile(answer["profile"]["id"])
    assert profile is not None
    assert profile.due is not None
    assert NOW + DAY <= profile.due <= NOW + 2 * DAY  # days are counted as a whole


@pytest.mark.parametrize(("source", "time", "first_seen"), [
    pytest.param(SHOP, YEARS_AGO, NOW, id="when it was received"),
    pytest.param(BY_OCCURRED, YEARS_AGO, YEARS_AGO, id="when it occurred, if its source says so"),
    pytest.param(BY_OCCURRED, None, NOW, id="without a time when it was received"),
    pytest.param(BY_OCCURRED, NOW + SECOND, NOW, id="at the latest when it was received"),
])  # fmt: skip
async def test_a_profile_is_first_seen_when_its_first_event_was_received_or_occurred(
    store: Store, source: Source, time: int | None, first_seen: int
) -> None:
    shop = Collector(of(source, KEEP), store)
    answer = await shop.track(ordered(time))
    shop.clock.advance(DAY)
    await shop.track(payload("ordered", {"type": "ordered", "time": written_time(YEARS_AGO + HOUR)}))
    metadata = (await shop.profile(answer["profile"]["id"]))["metadata"]
    assert metadata["first_seen"] == (min(first_seen, YEARS_AGO + HOUR) if source is BY_OCCURRED else first_seen)
    assert (metadata["created"], metadata["last_seen"]) == (NOW, NOW + DAY)


async def test_a_profile_that_a_flow_attaches_is_first_seen_when_the_event_occurred(store: Store) -> None:
    shop = Collector(of(BY_OCCURRED, COUPON), store)
    await shop.track(ordered(YEARS_AGO, type="coupon"), profile_less=True)
    metadata = (await shop.profile((await stored(store)).profile or ""))["metadata"]
    assert (metadata["first_seen"], metadata["last_seen"]) == (YEARS_AGO, NOW)


async def test_a_flow_can_keep_the_value_of_the_newest_event_whenever_it_comes(store: Store) -> None:
    shop = Collector(project(NEWEST), store)
    answer = await shop.track(ordered(NOW - DAY, properties={"city": "Oslo"}))
    id = answer["profile"]["id"]
    late = {"type": "ordered", "time": written_time(YEARS_AGO), "properties": {"city": "Rome"}}
    await shop.track(payload(late, profile={"id": id}))
    assert (await shop.profile(id))["traits"]["city"] == "Oslo"
