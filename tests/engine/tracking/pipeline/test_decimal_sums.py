"""Six payments make exactly 100, and nothing when they are taken back: by increments and by counts over time.

Segments, answers and stored profiles agree on that, whatever the order, after merges, unmerges and a time in the spool.
"""

from itertools import permutations

import pytest

from engine.ports.store import Store
from engine.tracking.operations.unmerging import unmerge_served
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.conftest import Opener, Opening
from tests.engine.tracking.unavailable_store import AwayStore, Shop
from tests.projects import payload, project

SPENT = """
flow: spent
trigger: {event: paid}
nodes:
  add:
    profile.increment: {traits.spent: "{{ event.properties.total }}"}
    next: count
  count:
    profile.count: {spent: "{{ event.properties.total }}"}
    next: enough
  enough:
    if: profile.traits.spent >= 100 and counted('spent', '1d') >= 100
    next: {then: yes_there, else: not_yet}
  yes_there: {respond: {state: "at {{ profile.traits.spent }}"}}
  not_yet: {respond: {state: "below: {{ profile.traits.spent }}"}}
"""
START = """
flow: start
trigger: {event: started}
nodes:
  set: {profile.set: {traits.spent: "{{ event.properties.total }}"}}
"""
JOIN = """
flow: join
trigger: {event: joined}
nodes:
  join: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
LIST = """
flow: list
trigger: {event: listed}
nodes:
  sum: {profile.set: {traits.spent: "{{ event.properties.paid | sum }}"}}
"""
PROJECT = project(
    *(SPENT, START, JOIN, LIST),
    segments={"spenders": "profile.traits.spent >= 100", "busy": "counted('spent', '1d') >= 100"},
)
SIX = (19.99, 19.99, 19.99, 19.99, 19.99, 0.05)
BACK = tuple(-total for total in SIX)


def paid(*totals: float, type: str = "paid") -> list[dict[str, object]]:
    return [{"type": type, "properties": {"total": total}} for total in totals]


async def check(collector: Collector, id: str, spent: float, *segments: str) -> None:
    """Check the stored profile, as another process reads it."""
    profile = await collector.profile(id)
    assert (profile["traits"]["spent"], type(profile["traits"]["spent"])) == (spent, type(spent))
    assert profile["segments"] == sorted(segments)


@pytest.mark.parametrize("at_once", [True, False])
async def test_six_payments_make_100_and_taken_back_nothing_is_left(store: Store, at_once: bool) -> None:
    collector = Collector(PROJECT, store)
    for totals, state, spent, segments in ((SIX, "at 100", 100, ("busy", "spenders")), (BACK, "below: 0", 0, ())):
        for some in (totals,) if at_once else [(total,) for total in totals]:
            answer = await collector.track(payload(*paid(*some), options={"profile": True}))
        assert answer["response"]["state"] == state
        assert answer["profile"]["traits"]["spent"] == spent
        await check(collector, answer["profile"]["id"], spent, *segments)


async def test_the_payments_of_merged_visitors_make_100_in_any_order(store: Store) -> None:
    for turn, totals in enumerate(set(permutations(SIX))):
        collector = Collector(PROJECT, store)
        for visitor, total in enumerate(totals):
            session = f"s-{turn}-{visitor % 3}"
            answer = await collector.track(payload(*paid(total), session=session))
        for visitor in range(3):
            join = {"type": "joined", "properties": {"email": f"{turn}@example.com"}}
            answer = await collector.track(payload(join, session=f"s-{turn}-{visitor}"))
        await check(collector, answer["profile"]["id"], 100, "busy", "spenders")
        answer = await collector.track(payload(*paid(*BACK), session=f"s-{turn}-1"))
        assert answer["response"]["state"] == "below: 0"
        await check(collector, answer["profile"]["id"], 0)


async def test_an_unmerge_leaves_each_visitor_its_own_sum(store: Store) -> None:
    collector = Collector(PROJECT, store)
    join = {"type": "joined", "properties": {"email": "ann@example.com"}}
    for session, totals in (("phone", SIX[:3]), ("laptop", SIX[3:])):
        answer = await collector.track(payload(*paid(*totals), join, session=session))
    id = answer["profile"]["id"]
    await check(collector, id, 100, "busy", "spenders")
    profile = await store.profile(id)
    assert profile is not None
    link = next(iter(profile.links))
    sides = await unmerge_served(collector.pipeline, id, link)
    assert sorted(known.view["traits"]["spent"] for known in sides.profiles) == [40.03, 59.97]


async def test_payments_that_wait_in_the_spool_make_100(store: Store, opening: Opening) -> None:
    shop = Shop(PROJECT, AwayStore(store), opening())
    await shop.start()
    shop.away.away = True
    for total in SIX:
        answer = await shop.track(payload(*paid(total)))
    await shop.back()
    await check(shop, answer["profile"]["id"], 100, "busy", "spenders")
    answer = await shop.track(payload(*paid(*BACK)))
    await check(shop, answer["profile"]["id"], 0)


async def test_payments_through_two_processes_and_their_repeats_make_100(opened: Opener) -> None:
    collectors = [Collector(PROJECT, opened()) for _ in range(2)]
    for turn, total in enumerate(SIX):
        event = {**paid(total)[0], "id": f"e-{turn}"}
        for collector in (collectors[turn % 2], collectors[(turn + 1) % 2]):
            answer = await collector.track(payload(event))
    await check(collectors[0], answer["profile"]["id"], 100, "busy", "spenders")


@pytest.mark.parametrize("start", [19.99, -0.01, 1e15, 1e-15, 0.30000000000000004, 33.333333333333336])
async def test_payments_on_a_value_that_was_set_are_added_and_taken_back_exactly(store: Store, start: float) -> None:
    collector = Collector(PROJECT, store)
    totals = [*SIX, 33.333333333333336, 1e-15, 0.1, 12345678901234.5]
    answer = await collector.track(payload(*paid(start, type="started"), *paid(*totals)))
    answer = await collector.track(payload(*paid(*[-total for total in totals])))
    profile = await collector.profile(answer["profile"]["id"])
    assert profile["traits"]["spent"] == start
    both_ways = payload(*paid(*totals), *paid(*[-total for total in totals]), options={"profile": True})
    assert (await collector.track(both_ways))["profile"]["traits"]["spent"] == start


async def test_a_sum_beyond_the_digits_of_a_float_is_shown_as_the_nearest_and_stays_exact(store: Store) -> None:
    third = 33.333333333333336
    collector = Collector(PROJECT, store)
    states = [(await collector.track(payload(*paid(third))))["response"]["state"] for _ in range(3)]
    assert states == ["below: 33.333333333333336", "below: 66.66666666666667", "at 100.00000000000001"]
    states = [(await collector.track(payload(*paid(-third))))["response"]["state"] for _ in range(3)]
    assert states == ["below: 66.66666666666667", "below: 33.333333333333336", "below: 0"]


async def test_the_sum_of_a_list_is_exact(store: Store) -> None:
    collector = Collector(PROJECT, store)
    answer = await collector.track(payload({"type": "listed", "properties": {"paid": SIX}}))
    await check(collector, answer["profile"]["id"], 100, "spenders")
