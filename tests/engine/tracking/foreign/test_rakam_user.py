"""Rakam's operations on users: each becomes an event of the user."""

import json
from typing import Any

import pytest

from engine.tracking.foreign.rakam import translated
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.intake.payload import Refusal, RejectedEvent

API = {"api_key": "WK"}


def events_of(path: str, body: Any) -> tuple[ForeignEvent | RejectedEvent, ...]:
    translation = translated(ForeignRequest(path=path, body=json.dumps({"api": API, **body}).encode()))
    assert translation.keys == ("WK",)
    return translation.events


def shown(events: tuple[ForeignEvent | RejectedEvent, ...]) -> list[tuple[str | None, str, dict[str, Any]]]:
    """User, type and properties of events of which none was rejected."""
    return [(event.user, event.type, event.properties) for event in events if isinstance(event, ForeignEvent)]


@pytest.mark.parametrize(
    ("path", "body", "type", "properties"),
    [
        ("/user/set_properties", {"properties": {"favPlan": "gold", "gone": None}}, "user-set", {"fav_plan": "gold"}),
        ("/user/set_properties_once", {"properties": {"source": "ad"}}, "user-set-once", {"source": "ad"}),
        ("/user/increment_property", {"property": "Points", "value": -2.5}, "user-increment", {"points": -2.5}),
        ("/user/unset_properties", {"properties": ["favPlan", "age"]}, "user-unset", {"names": ["fav_plan", "age"]}),
        ("/user/unset_properties", {"properties": "age"}, "user-unset", {"names": ["age"]}),
    ],
)
def test_an_operation_is_an_event_of_the_user(path: str, body: Any, type: str, properties: dict[str, Any]) -> None:
    assert shown(events_of(path, {"id": "u1", **body})) == [("u1", type, properties)]
    assert shown(events_of(path, {"id": 17, **body})) == [("17", type, properties)]


def test_operations_of_one_user_come_in_one_order_with_their_time() -> None:
    data = [
        {
            "unset_properties": ["age"],
            "increment_properties": {"points": 1, "visits": 2},
            "set_properties_once": {"source": "ad"},
            "set_properties": {"plan": "gold"},
            "time": 1_480_457_838_042,
        },
        {"set_properties": {"plan": "free"}},
        {},
    ]
    events = events_of("/user/batch", {"id": "u1", "data": data})
    assert shown(events) == [
        ("u1", "user-set", {"plan": "gold"}),
        ("u1", "user-set-once", {"source": "ad"}),
        ("u1", "user-increment", {"points": 1, "visits": 2}),
        ("u1", "user-unset", {"names": ["age"]}),
        ("u1", "user-set", {"plan": "free"}),
    ]
    assert [event.time for event in events if isinstance(event, ForeignEvent)] == [1_480_457_838_042] * 4 + [None]


def test_operations_of_several_users_name_each() -> None:
    data = [
        {"id": "u1", "set_properties": {"n": 1}},
        {"set_properties": {"n": 2}},
        {"id": "u3", "increment_properties": {"n": "3"}},
        {"id": "u4", "set_properties": {"n": 4}},
    ]
    first, unnamed, amount, last = events_of("/user/batch_operations", {"data": data})
    assert shown((first, last)) == [("u1", "user-set", {"n": 1}), ("u4", "user-set", {"n": 4})]
    assert isinstance(unnamed, RejectedEvent)
    assert isinstance(amount, RejectedEvent)
    assert [(unnamed.index, unnamed.at), (amount.index, amount.at)] == [
        (1, "/data/1/id"),
        (2, "/data/2/increment_properties"),
    ]


def test_equal_operations_of_two_users_have_different_texts() -> None:
    body = {"data": [{"set_properties": {"n": 1}}]}
    (one,), (other,) = events_of("/user/batch", {"id": "u1", **body}), events_of("/user/batch", {"id": "u2", **body})
    assert isinstance(one, ForeignEvent)
    assert isinstance(other, ForeignEvent)
    assert one.raw != other.raw


def test_a_time_in_milliseconds_is_corrected_by_the_upload_time() -> None:
    body = {"api": {**API, "upload_time": 2000}, "id": "u1", "data": [{"set_properties": {}, "time": 1000}]}
    (event,) = events_of("/user/batch", body)
    assert isinstance(event, ForeignEvent)
    assert (event.time, event.sent, event.skewed) == (1000, 2000, True)


def test_a_visitor_becomes_a_user_by_a_merge() -> None:
    (event,) = events_of("/user/merge", {"id": "u1", "anonymous_id": "d-1", "created_at": 1, "merged_at": 2})
    assert isinstance(event, ForeignEvent)
    assert (event.type, event.visitor, event.user, event.previous) == ("user-merge", "d-1", "u1", None)


def test_a_merge_without_a_visitor_has_no_events() -> None:
    assert events_of("/user/merge", {"id": "u1", "anonymous_id": None}) == ()


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/user/set_properties", {"properties": {}}, "/id"),
        ("/user/set_properties", {"id": None, "properties": {}}, "/id"),
        ("/user/set_properties", {"id": {}, "properties": {}}, "/id"),
        ("/user/set_properties", {"id": "u1", "properties": []}, "/properties"),
        ("/user/set_properties", {"id": "u1", "properties": {"имя": 1}}, "/properties/имя"),
        ("/user/increment_property", {"id": "u1", "value": 1}, "/property"),
        ("/user/increment_property", {"id": "u1", "property": "n"}, "/value"),
        ("/user/increment_property", {"id": "u1", "property": "n", "value": True}, "/value"),
        ("/user/unset_properties", {"id": "u1"}, "/properties"),
        ("/user/unset_properties", {"id": "u1", "properties": [7]}, "/properties"),
        ("/user/set_properties", {"id": "u" * 201, "properties": {}}, "/id"),
        ("/user/batch", {"data": []}, "/id"),
        ("/user/batch", {"id": "u" * 201, "data": [{"set_properties": {}}]}, "/id"),
        ("/user/batch", {"id": "u1"}, "/data"),
        ("/user/batch_operations", {"data": {}}, "/data"),
        ("/user/merge", {"anonymous_id": "d-1"}, "/id"),
    ],
)
def test_a_request_that_is_no_operation_is_refused_with_its_place(path: str, body: Any, at: str) -> None:
    with pytest.raises(Refusal) as refused:
        events_of(path, body)
    assert (refused.value.kind, refused.value.at) == ("malformed", at)


def test_an_operation_that_is_null_is_none() -> None:
    item = {"id": "u1", "set_properties": None, "unset_properties": ["age"]}
    assert shown(events_of("/user/batch_operations", {"data": [item]})) == [("u1", "user-unset", {"names": ["age"]})]


@pytest.mark.parametrize("path", ["/user/set_properties", "/user/batch", "/user/batch_operations", "/user/merge"])
def test_an_operation_needs_a_key(path: str) -> None:
    with pytest.raises(Refusal, match=r"^api\.api_key is required"):
        translated(ForeignRequest(path=path, body=b'{"api":{},"id":"u1","data":[],"properties":{}}'))
