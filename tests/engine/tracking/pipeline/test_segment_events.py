"""Entering and leaving segments: one segment event for each change, in the unit that causes it."""

import asyncio
from typing import Any

from engine.language.expression import compile_condition
from engine.ports.store import Store
from engine.project.segment import Segment
from engine.tracking.operations.reevaluation import reevaluate
from engine.tracking.unit.membership import MAX_SEGMENT_EVENTS
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.conftest import Opener
from tests.projects import payload, project

SET = """
flow: set
trigger: {event: set}
nodes:
  set: {profile.set: {traits.revenue: "{{ event.properties.revenue }}"}}
"""
RECOGNISE = """
flow: recognise
trigger: {event: login}
nodes:
  a: {profile.merge: {pii.email: ann@example.com}}
"""
HISTORY = """
flow: history
trigger: {event: [segment-entered, segment-left]}
nodes:
  note: {profile.append: {traits.history: "{{ event.type }} {{ event.properties.segment }}"}}
"""
COUNTED = """
flow: counted
trigger: {event: segment-entered}
nodes:
  up: {profile.increment: {traits.entered: 1}, next: last}
  last: {profile.set: {traits.last: "{{ event.properties.segment }}"}}
"""
RICH = {"rich": "profile.traits.revenue > 100"}


def revenue(amount: int, **more: Any) -> dict[str, Any]:
    return payload({"type": "set", "properties": {"revenue": amount}}, **more)


async def history(collector: Collector, id: str) -> list[str]:
    """The segments that a profile entered and left, in short."""
    lines = (await collector.profile(id))["traits"].get("history", [])
    return [line.removeprefix("segment-") for line in lines]


async def test_a_flow_hears_of_segments_that_are_entered_and_left(store: Store) -> None:
    collector = Collector(project(SET, HISTORY, segments=RICH), store)
    for amount in (50, 200, 300, 20, 101):
        answer = await collector.track(revenue(amount))
    assert await history(collector, answer["profile"]["id"]) == ["entered rich", "left rich", "entered rich"]


async def test_a_segment_event_is_stored_with_the_event_that_caused_it(store: Store) -> None:
    collector = Collector(project(SET, HISTORY, segments=RICH), store)
    answer = await collector.track(payload({"type": "set", "id": "e-1", "properties": {"revenue": 200}}))
    entered, order = await store.events_of(answer["profile"]["id"], 10)
    assert (entered.type, entered.properties) == ("segment-entered", {"segment": "rich"})
    assert (entered.origin, entered.parent, order.id) == ("system", "e-1", "e-1")
    entry = answer["debugging"]["execution"][entered.id]
    assert (entry["origin"], entry["runs"][0]["flow"]) == ("system", "history")


async def test_a_flow_with_a_glob_hears_nothing_and_nothing_is_stored(store: Store) -> None:
    glob = HISTORY.replace("[segment-entered, segment-left]", '["*"]')
    collector = Collector(project(SET, glob, segments=RICH), store)
    answer = await collector.track(revenue(200))
    assert [event.type for event in await store.events_of(answer["profile"]["id"], 10)] == ["set"]


async def test_segments_that_are_filled_by_hand_are_entered_and_left_too(store: Store) -> None:
    by_hand = """
    flow: by-hand
    trigger: {event: mark}
    nodes:
      which: {if: event.properties.vip == true, next: {then: add, else: remove}}
      add: {segment.add: vip}
      remove: {segment.remove: vip}
    """
    collector = Collector(project(by_hand, HISTORY, segments={"vip": None}), store)
    for vip in (True, True, False, False, True):
        answer = await collector.track(payload({"type": "mark", "properties": {"vip": vip}}))
    assert await history(collector, answer["profile"]["id"]) == ["entered vip", "left vip", "entered vip"]


async def test_segments_that_one_payload_enters_and_leaves_start_flows_in_order(store: Store) -> None:
    collector = Collector(project(SET, HISTORY, segments=RICH), store)
    events = [{"type": "set", "properties": {"revenue": amount}} for amount in (200, 20, 300)]
    answer = await collector.track(payload(*events))
    assert await history(collector, answer["profile"]["id"]) == ["entered rich", "left rich", "entered rich"]


async def test_a_new_profile_enters_its_segments_after_it_was_created(store: Store) -> None:
    created = HISTORY.replace("[segment-entered, segment-left]", "[profile-created, segment-entered]")
    created = created.replace("{{ event.properties.segment }}", "")
    collector = Collector(project(created, segments={"all": "profile.metadata.version >= 0"}), store)
    answer = await collector.track(payload("hello"))
    assert [line.strip() for line in await history(collector, answer["profile"]["id"])] == [
        "profile-created",
        "entered",
    ]


async def test_time_that_has_passed_is_noticed_before_the_next_event(store: Store) -> None:
    lapsed = """
    flow: welcome-back
    trigger: {event: segment-left, when: event.properties.segment == 'lapsed'}
    nodes: {greet: {respond: {banner: "Welcome back"}}}
    """
    condition = "profile.metadata.last_seen < now - days(30)"
    collector = Collector(project(SET, lapsed, HISTORY, segments={"lapsed": condition}), store)
    first = await collector.track(revenue(1))
    await reevaluate(collector.pipeline, first["profile"]["id"])
    collector.clock.advance(31 * 86_400_000)
    await reevaluate(collector.pipeline, first["profile"]["id"])
    assert (await collector.profile(first["profile"]["id"]))["segments"] == ["lapsed"]
    collector.clock.advance(1000)
    assert (await collector.track(revenue(2)))["response"] == {"banner": "Welcome back"}
    assert await history(collector, first["profile"]["id"]) == ["entered lapsed", "left lapsed"]


async def test_a_profile_that_is_merged_with_a_member_does_not_enter_the_segment(store: Store) -> None:
    collector = Collector(project(SET, RECOGNISE, HISTORY, segments=RICH), store)
    for session, amount in (("one", 200), ("two", 300)):
        await collector.track(revenue(amount, session=session))
        collector.clock.advance(1000)
    await collector.track(payload("login", session="one"))
    answer = await collector.track(payload("login", session="two"))
    assert await history(collector, answer["profile"]["id"]) == ["entered rich", "entered rich"]
    await collector.track(revenue(5, session="two"))
    assert (await history(collector, answer["profile"]["id"]))[2:] == ["left rich"]


async def test_flows_that_start_one_another_in_a_circle_fail_and_their_effects_are_dropped(store: Store) -> None:
    circle = """
    flow: circle
    trigger: {event: [segment-entered, segment-left]}
    nodes:
      which: {if: event.type == 'segment-entered', next: {then: less, else: more}}
      less: {profile.set: {traits.revenue: 1}}
      more: {profile.set: {traits.revenue: 500}}
    """
    collector = Collector(project(SET, circle, segments=RICH), store)
    answer = await collector.track(revenue(200))
    runs = [run for event in answer["debugging"]["execution"].values() for run in event["runs"]]
    ended = [run["outcome"] for run in runs if run.get("flow") == "circle" and "steps" in run]
    assert ended == ["finished"] * 7 + ["failed"]
    assert "in a circle" in next(run["reason"] for run in runs if run["outcome"] == "failed")
    view = await collector.profile(answer["profile"]["id"])
    assert view["segments"] == (["rich"] if view["traits"]["revenue"] > 100 else [])


async def test_a_unit_may_enter_as_many_segments_at_once_as_the_limit_promises(store: Store) -> None:
    names = [f"s-{i:04d}" for i in range(MAX_SEGMENT_EVENTS)]
    collector = Collector(project(SET, COUNTED, segments=dict.fromkeys(names, "profile.traits.revenue > 100")), store)
    answer = await collector.track(revenue(200), debug=False)
    profile = await collector.profile(answer["profile"]["id"])
    assert profile["segments"] == names
    assert profile["traits"] == {"revenue": 200, "entered": MAX_SEGMENT_EVENTS, "last": names[-1]}


async def test_the_first_evaluation_of_a_unit_leaves_out_the_segment_events_over_the_limit(store: Store) -> None:
    names = [f"s-{i:04d}" for i in range(MAX_SEGMENT_EVENTS + 5)]
    collector = Collector(project(SET, COUNTED, segments=dict.fromkeys(names, "profile.metadata.version >= 0")), store)
    answer = await collector.track(payload("hello"), debug=False)
    profile = await collector.profile(answer["profile"]["id"])
    assert profile["segments"] == names
    assert profile["traits"] == {"entered": MAX_SEGMENT_EVENTS, "last": names[MAX_SEGMENT_EVENTS - 1]}


async def test_segment_events_run_in_order_before_the_events_that_flows_emit(store: Store) -> None:
    emits = """
    flow: emits
    trigger: {event: segment-entered}
    nodes:
      emit: {event.emit: {type: child, properties: {of: "{{ event.properties.segment }}"}}}
    """
    first = """
    flow: first
    trigger: {event: set}
    nodes:
      emit: {event.emit: {type: child, properties: {of: set}}}
    """
    children = """
    flow: children
    trigger: {event: child}
    nodes:
      note: {profile.append: {traits.history: "child of {{ event.properties.of }}"}}
    """
    segments = dict.fromkeys(("a", "b"), "profile.traits.revenue > 100")
    collector = Collector(project(SET, first, emits, HISTORY, children, segments=segments), store)
    answer = await collector.track(revenue(200))
    assert await history(collector, answer["profile"]["id"]) == [
        "entered a", "entered b", "child of b", "child of a", "child of set"
    ]  # fmt: skip


async def test_two_engines_run_each_segment_event_once(opened: Opener) -> None:
    engines = [Collector(project(SET, HISTORY, segments=RICH), opened()) for _ in range(2)]
    first = await engines[0].track(revenue(1))
    amounts = [200, 5, 300, 2, 150, 1, 101, 99, 400, 3]
    await asyncio.gather(*(engines[i % 2].track(revenue(amount)) for i, amount in enumerate(amounts)))
    events = await history(engines[0], first["profile"]["id"])
    inside = (await engines[1].profile(first["profile"]["id"]))["segments"] == ["rich"]
    assert events == [("entered rich", "left rich")[i % 2] for i in range(len(events))]
    assert len(events) % 2 == inside


async def test_a_segment_with_a_window_is_entered_when_its_time_has_come(store: Store) -> None:
    segment = Segment(name="steady", condition=compile_condition("profile.traits.revenue > 100"), for_ms=5_000)
    collector = Collector(project(SET, HISTORY, segments={"steady": segment}), store)
    id = (await collector.track(revenue(200)))["profile"]["id"]
    collector.clock.advance(4_999)
    assert not await reevaluate(collector.pipeline, id)
    collector.clock.advance(1)
    assert await reevaluate(collector.pipeline, id)
    assert await history(collector, id) == ["entered steady"]
    assert not await reevaluate(collector.pipeline, id)


async def test_re_evaluating_a_profile_is_no_visit(store: Store) -> None:
    collector = Collector(project(SET, segments={"lapsed": "profile.metadata.last_seen < now - days(30)"}), store)
    id = (await collector.track(revenue(1)))["profile"]["id"]
    before = (await collector.profile(id))["metadata"]
    collector.clock.advance(40 * 86_400_000)
    assert await reevaluate(collector.pipeline, id)
    after = (await collector.profile(id))["metadata"]
    assert (after["last_seen"], after["visits"]) == (before["last_seen"], 1)
    assert (await store.counts())["events"] == 1


async def test_an_unknown_id_is_not_re_evaluated(store: Store) -> None:
    collector = Collector(project(SET, segments=RICH), store)
    assert not await reevaluate(collector.pipeline, "nobody")
    assert (await store.counts())["profiles"] == 0


async def test_visits_are_counted_by_session(store: Store) -> None:
    collector = Collector(project(SET), store)
    id = (await collector.track(revenue(1, session="one")))["profile"]["id"]
    collector.clock.advance(1000)
    await collector.track(revenue(1, session="one"))
    collector.clock.advance(1000)
    await collector.track(revenue(1, session="two", profile={"id": id}))
    await collector.track(revenue(1, session="not kept", profile={"id": id}, options={"saveSession": False}))
    metadata = (await collector.profile(id))["metadata"]
    assert (
        metadata["visits"],
        metadata["last_seen"] - metadata["first_seen"],
        metadata["last_seen"] - metadata["previous_seen"],
    ) == (
        2,
        2000,
        1000,
    )


async def test_conditions_see_the_counts_of_flows(store: Store) -> None:
    counting = """
    flow: counting
    trigger: {event: order}
    nodes:
      count: {profile.count: {orders: 1, revenue: "{{ event.properties.total }}"}, next: enough}
      enough:
        if: counted('orders', '1h') >= 3
        next: {then: tell}
      tell: {respond: {orders: "{{ counted('orders', '7d') }}", revenue: "{{ counted('revenue', '1d') }}"}}
    """
    segments = {"buyers": "counted('orders', '2h') >= 2", "quiet": "counted('orders', '2h') == 0"}
    collector = Collector(project(counting, HISTORY, segments=segments), store)
    order = payload({"type": "order", "properties": {"total": 10}})
    assert "response" not in await collector.track(order)
    await collector.track(order)
    answer = await collector.track(order)
    id = answer["profile"]["id"]
    assert answer["response"] == {"orders": 3, "revenue": 30}
    steps = answer["debugging"]["execution"]
    (step,) = [s for e in steps.values() for run in e["runs"] for s in run.get("steps", ()) if s["node"] == "enough"]
    assert step["values"] == {"counted('orders', '1h')": 3}
    assert (await collector.profile(id))["segments"] == ["buyers"]
    collector.clock.advance(2 * 3_600_000 + 60_000)
    assert await reevaluate(collector.pipeline, id)
    assert (await collector.profile(id))["segments"] == ["quiet"]
    assert await history(collector, id) == [
        "entered quiet", "left quiet", "entered buyers", "left buyers", "entered quiet"
    ]  # fmt: skip


async def test_a_consent_that_a_sender_gives_may_lead_into_a_segment(store: Store) -> None:
    segments = {"reachable": "profile.consents.newsletter.given is defined"}
    collector = Collector(project(HISTORY, segments=segments), store)
    given = {"type": "consent-changed", "properties": {"consents": {"newsletter": True}}}
    answer = await collector.track(payload(given))
    assert await history(collector, answer["profile"]["id"]) == ["entered reachable"]


async def test_a_condition_sees_the_profile_as_it_will_be_committed(store: Store) -> None:
    segments = {
        "new": "profile.metadata.version < 3",
        "busy": "profile.metadata.updated > now - 500",
        "fresh": "changed_at('traits.revenue') == profile.metadata.updated",
    }
    counting = """
    flow: counting
    trigger: {event: [segment-entered, segment-left]}
    nodes: {count: {profile.count: changes}}
    """
    collector = Collector(project(SET, counting, segments=segments), store)
    for event in (revenue(1), payload("other"), payload("other"), revenue(2)):
        answer = await collector.track(event)
        view = await collector.profile(answer["profile"]["id"])
        assert answer["debugging"]["segmentation"]["ids"] == view["segments"]
        collector.clock.advance(1000)
    assert view["segments"] == ["busy", "fresh"]
