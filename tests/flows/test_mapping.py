"""Mappings are read from an author's file, and make events of a scope."""

from typing import Any

import pytest

from engine.language.absent import Unusable
from engine.project.mapping import EventMapping, MappedEvent
from flows.mapping import read_mapping

ROOTS = frozenset({"body", "now"})


def mapping(data: Any) -> EventMapping:
    read, problems = read_mapping(data, ROOTS, ("event",))
    assert problems == []
    assert read is not None
    return read


def test_a_mapping_makes_an_event_of_a_scope() -> None:
    made = mapping(
        {
            "type": "order-{{ body.kind }}",
            "id": "{{ body.id }}",
            "time": "{{ body.at }}",
            "user": "{{ body.customer }}",
            "properties": {"total": "{{ body.total | float }}", "note": "{{ body.note }}"},
        }
    )
    body = {"kind": "paid", "id": 720182990123456789, "at": 1_700_000_000, "total": "9.50"}
    assert made.event({"body": body}) == MappedEvent(
        type="order-paid", id="720182990123456789", time=1_700_000_000, properties={"total": 9.5}
    )


def test_an_event_whose_condition_does_not_hold_is_not_made() -> None:
    made = mapping({"type": "order", "when": "body.kind == 'paid'"})
    assert made.event({"body": {"kind": "refund"}}) is None
    assert made.event({"body": {"kind": "paid"}}) == MappedEvent(type="order")


def test_the_whole_body_may_be_the_properties() -> None:
    assert mapping({"type": "x", "properties": "{{ body }}"}).event({"body": {"a": 1}}) == MappedEvent(
        type="x", properties={"a": 1}
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"type": "{{ body.kind }}"}, "`body.kind` is absent"),
        ({"type": "x", "id": "{{ body.kind }}"}, "`body.kind` is absent"),
        ({"type": "{{ body.list }}"}, "`type` is a text or a whole number"),
        ({"type": "x", "user": "{{ body.list }}"}, "`user` is a text or a whole number"),
        ({"type": "x", "properties": "{{ body.list }}"}, "`properties` is an object"),
        ({"type": "{{ body.empty }}"}, "`type` is empty"),
    ],
)
def test_a_value_that_cannot_be_used_makes_the_event_unusable(data: Any, reason: str) -> None:
    with pytest.raises(Unusable) as raised:
        mapping(data).event({"body": {"list": [1], "empty": ""}})
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({}, "H403", "an event needs `type`"),
        (["x"], "H404", "an event is a map of `type` and other fields"),
        ({"type": "x", "usr": "y"}, "H402", "an event has no `usr`"),
        ({"type": "x", "properties": [1]}, "H404", "`properties` is an object"),
        ({"type": "x", "when": 1}, "H404", "`when` is a condition"),
        ({"type": "x", "user": "{{ profile.id }}"}, "H202", None),
    ],
)
def test_a_mistake_is_reported_at_its_place(data: Any, code: str, message: str | None) -> None:
    read, problems = read_mapping(data, ROOTS, ("event",))
    assert read is None
    assert problems[0].code == code
    assert problems[0].path[0] == "event"
    assert message in (None, problems[0].message)
