"""How often a unit tests the conditions of segments."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from engine.language.expression import compile_condition
from engine.project.segment import Segment
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

COUNT = """
flow: count
trigger: {event: "*"}
nodes:
  up: {profile.increment: {traits.hits: 1}}
"""
REMEMBER = """
flow: remember
trigger: {event: order}
nodes:
  total: {profile.set: {traits.total: "{{ event.properties.total }}"}}
"""
LOGIN = """
flow: login
trigger: {event: login}
nodes:
  merge: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
NOTE = """
flow: note
trigger: {event: [segment-entered, segment-left]}
nodes:
  note: {profile.append: {traits.history: "{{ event.type }} {{ event.properties.segment }}"}}
"""
CONDITIONS = {
    "keen": "profile.traits.hits >= 3",
    "rich": "profile.traits.total >= 100",
    "known": "profile.pii.email",
    "fresh": "now - profile.metadata.updated < 5000",
    "late": "now - profile.metadata.last_seen > 86400000",
}


class Counting(Collector):
    """A collector that counts the tests of each segment's condition in the units since `tests` was cleared."""

    def __init__(self, *flows: str, conditions: Mapping[str, str] = CONDITIONS) -> None:
        self.tests: Counter[str] = Counter()
        segments = {name: self._counted(name, text) for name, text in conditions.items()}
        super().__init__(project(*flows, segments=segments), MemoryStore())

    def _counted(self, name: str, text: str) -> Segment:
        condition = compile_condition(text)
        test = condition.test

        def counted(scope: Mapping[str, Any]) -> bool:
            if scope["now"] <= self.clock.now():  # else it looks for the time at which the condition will change
                self.tests[name] += 1
            return test(scope)

        condition.test = counted
        return Segment(name=name, condition=condition)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": "view"}, id="one flow writes"),
        pytest.param({"type": "order", "properties": {"total": 120}}, id="two flows write different fields"),
        pytest.param({"type": "order", "properties": {"total": 10}}, id="a segment is left"),
    ],
)
async def test_a_unit_tests_each_condition_at_most_twice(event: dict[str, Any]) -> None:
    shop = Counting(COUNT, REMEMBER, conditions={k: v for k, v in CONDITIONS.items() if k != "fresh"})
    for total in (150, 150):
        await shop.track(payload({"type": "order", "properties": {"total": total}}))
    shop.tests.clear()
    shop.clock.advance(1)
    await shop.track(payload(event))
    assert max(shop.tests.values()) <= 2, shop.tests


async def test_a_unit_tests_a_condition_on_unchanged_fields_once() -> None:
    shop = Counting(COUNT, REMEMBER)
    await shop.track(payload("view"))
    shop.tests.clear()
    await shop.track(payload("view"))
    assert {name: shop.tests[name] for name in ("keen", "rich", "known", "late")} == {
        "keen": 2,
        "rich": 1,
        "known": 1,
        "late": 1,
    }


async def test_a_unit_whose_flows_write_nothing_tests_each_condition_once() -> None:
    shop = Counting(REMEMBER)
    await shop.track(payload("view"))
    shop.tests.clear()
    await shop.track(payload("view"))
    assert set(shop.tests.values()) == {1}


async def test_a_unit_that_merges_profiles_tests_each_condition_at_most_twice() -> None:
    shop = Counting(LOGIN)
    login = {"type": "login", "properties": {"email": "ann@example.com"}}
    await shop.track(payload(login, session="phone"))
    await shop.track(payload("view", session="laptop"))
    shop.tests.clear()
    merged = await shop.track(payload(login, session="laptop"))
    assert len((await shop.profile(merged["profile"]["id"]))["ids"]) == 2
    assert max(shop.tests.values()) <= 2, shop.tests


async def test_a_flow_that_is_started_by_a_segment_sees_each_change_of_its_own() -> None:
    shop = Counting(COUNT, NOTE, conditions={"one": "profile.traits.hits == 1", "two": "profile.traits.hits >= 2"})
    answer = await shop.track(payload("view", "view"))
    profile = await shop.profile(answer["profile"]["id"])
    assert profile["segments"] == ["two"]
    assert profile["traits"]["history"] == ["segment-entered one", "segment-left one", "segment-entered two"]


async def test_a_run_that_fails_afterwards_leaves_no_trace_in_the_segments() -> None:
    circle = """
    flow: circle
    trigger: {event: segment-entered}
    nodes:
      again: {profile.increment: {traits.hits: 1}}
    """
    conditions = {f"at-{n}": f"profile.traits.hits == {n}" for n in range(1, 12)}
    shop = Counting(COUNT, circle, conditions=conditions)
    answer = await shop.track(payload("view"))
    profile = await shop.profile(answer["profile"]["id"])
    assert profile["segments"] == [f"at-{profile['traits']['hits']}"]
