"""Schedules in a trigger: what they mean, what does not go together, and which nodes do not fit."""

from typing import Any

import pytest

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from engine.flow.schedule import Schedule, spec_of
from engine.language.rate import Rate
from nodes import builtin

NAMES = ProjectNames(segments=frozenset({"vip"}))
REGISTRY = builtin()
LOG: dict[str, Any] = {"a": {"log": "hello"}}


def document(nodes: dict[str, Any] = LOG, /, **trigger: Any) -> dict[str, Any]:
    return {"flow": "nightly", "trigger": {key.rstrip("_"): value for key, value in trigger.items()}, "nodes": nodes}


def schedule_of(**trigger: Any) -> Schedule:
    flow, problems = compile_flow(document(**trigger), NAMES, REGISTRY)
    assert flow is not None, problems
    assert flow.trigger.schedule is not None
    return flow.trigger.schedule


def problems_of(doc: dict[str, Any]) -> list[tuple[str, str]]:
    _, problems = compile_flow(doc, NAMES, REGISTRY)
    return [(problem.code, ".".join(map(str, problem.path))) for problem in problems]


def test_a_schedule_is_read_with_all_its_keys() -> None:
    found = schedule_of(
        schedule="0  6 * * *", timezone="Europe/Berlin", catch_up="none", jitter="5m", deadline="20m",
        for_="segment vip", rate="50/s",
    )  # fmt: skip
    assert (found.cron, found.timezone, found.catch_up) == ("0 6 * * *", "Europe/Berlin", "none")
    assert (found.jitter_ms, found.deadline_ms, found.segment, found.rate) == (300_000, 1_200_000, "vip", Rate(50, 1))
    assert spec_of(found, "UTC") == "0 6 * * * in Europe/Berlin, catch-up none, jitter 5m, for vip"


def test_a_span_of_time_is_read() -> None:
    found = schedule_of(every="90s")
    assert (found.every_ms, found.catch_up, found.deadline_ms) == (90_000, "last", 600_000)
    assert spec_of(found, "UTC") == "every 90s, catch-up last"


def test_no_event_starts_a_flow_with_a_schedule() -> None:
    flow, _ = compile_flow(document(every="1h"), NAMES, REGISTRY)
    assert flow is not None
    assert not flow.trigger.matches_type("schedule-fired")
    assert not flow.trigger.matches_type("order-paid")


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ({"schedule": 5}, ("H103", "trigger.schedule")),
        ({"schedule": "15m"}, ("H114", "trigger.schedule")),
        ({"schedule": "0 0 6 * * *"}, ("H114", "trigger.schedule")),
        ({"schedule": "0 6 * * *", "every": "1h"}, ("H123", "trigger.every")),
        ({"schedule": "0 6 * * *", "event": "x"}, ("H123", "trigger.event")),
        ({"every": "1h", "source": "shop*"}, ("H123", "trigger.source")),
        ({"every": "1h", "timezone": "UTC"}, ("H123", "trigger.timezone")),
        ({"every": "1h", "rate": "5/s"}, ("H123", "trigger.rate")),
        ({"schedule": "0 6 * * *", "timezone": "Berlin"}, ("H114", "trigger.timezone")),
        ({"schedule": "0 6 * * *", "timezone": 1}, ("H114", "trigger.timezone")),
        ({"schedule": "0 6 * * *", "catch_up": "each"}, ("H114", "trigger.catch_up")),
        ({"schedule": "0 6 * * *", "jitter": "soon"}, ("H119", "trigger.jitter")),
        ({"schedule": "0 6 * * *", "deadline": "0s"}, ("H119", "trigger.deadline")),
        ({"schedule": "0 6 * * *", "deadline": "2h"}, ("H114", "trigger.deadline")),
        ({"every": "1m", "jitter": "1m"}, ("H114", "trigger.jitter")),
        ({"every": "often"}, ("H119", "trigger.every")),
        ({"every": "500ms"}, ("H114", "trigger.every")),
        ({"every": "1500ms"}, ("H114", "trigger.every")),
        ({"every": "1h", "for_": "vip"}, ("H114", "trigger.for")),
        ({"every": "1h", "for_": "segment vipp"}, ("H118", "trigger.for")),
        ({"every": "1h", "for_": "segment vip", "rate": "fast"}, ("H114", "trigger.rate")),
        ({"event": "x", "jitter": "5m"}, ("H101", "trigger.jitter")),
        ({"event": "schedule-fired"}, ("H114", "trigger.event")),
        ({"cron": "0 6 * * *"}, ("H101", "trigger.cron")),
    ],
)
def test_what_is_wrong_with_a_schedule_is_reported_at_its_key(
    trigger: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert problems_of(document(**trigger)) == [expected]


@pytest.mark.parametrize(
    ("node", "trigger", "code"),
    [
        ({"respond": {"x": 1}}, {"every": "1h"}, "H129"),
        ({"session.set": {"properties.x": 1}}, {"every": "1h", "for_": "segment vip"}, "H129"),
        ({"session.attach": "s-1"}, {"every": "1h"}, "H129"),
        ({"profile.set": {"traits.x": 1}}, {"every": "1h"}, "H308"),
        ({"profile.attach": {"id": "p-1"}}, {"every": "1h"}, "H308"),
        ({"log": "{{ profile.id }}"}, {"every": "1h"}, "H308"),
    ],
)
def test_a_node_that_a_schedule_has_nothing_for_is_an_error(node: Any, trigger: dict[str, Any], code: str) -> None:
    assert [found for found, _ in problems_of(document({"a": node}, **trigger))] == [code]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"schedule": "0 8 * * *"}, '`trigger: {schedule: "0 8 * * *"}`'),
        ({"cron": "0 8 * * *"}, '`trigger: {schedule: "0 8 * * *"}`'),
        ({"every": "5m"}, '`trigger: {every: "5m"}`'),
        (
            {"schedule": {"cron": "0 8 * * *", "tz": "Asia/Tokyo"}},
            '`trigger: {schedule: "0 8 * * *", timezone: "Asia/Tokyo"}`',
        ),
        ({"on": [{"schedule": "0 8 * * *"}]}, '`trigger: {schedule: "0 8 * * *"}`'),
        ({"trigger": "0 8 * * *"}, '`trigger: {schedule: "0 8 * * *"}`'),
        ({"trigger": {"type": "schedule", "cron": "0 8 * * *"}}, '`trigger: {schedule: "0 8 * * *"}`'),
    ],
)
def test_a_schedule_of_another_tool_has_its_own_times_in_the_remedy(keys: dict[str, Any], expected: str) -> None:
    _, problems = compile_flow({"flow": "nightly", **keys, "nodes": LOG}, NAMES, REGISTRY)
    assert [problem.help for problem in problems] == [f"write {expected}"]


def test_a_flow_for_a_segment_has_a_profile() -> None:
    assert problems_of(document({"a": {"profile.set": {"traits.x": 1}}}, every="1h", for_="segment vip")) == []


@pytest.mark.parametrize(("policy", "segment"), [("required", None), ("none", "segment vip")])
def test_the_schedule_decides_whether_there_is_a_profile(policy: str, segment: str | None) -> None:
    trigger = {"every": "1h"} | ({"for_": segment} if segment else {})
    assert problems_of({**document(**trigger), "profile": policy}) == [("H129", "profile")]
