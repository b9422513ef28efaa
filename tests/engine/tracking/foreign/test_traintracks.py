"""Traintracks: which member of an event becomes what, and which signature fits a body."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tracking.foreign.traintracks import MAX_EVENTS, translated, verified
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.intake.event_time import read_event_time
from engine.tracking.intake.payload import Refusal, RejectedEvent

EXAMPLE = (Path(__file__).parent / "traintracks_example.json").read_bytes()  # of Traintracks' documentation
SECRET = "4d6f8a"


def md5(text: bytes) -> bytes:
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()


def events_of(body: bytes, address: str = "") -> tuple[ForeignEvent | RejectedEvent, ...]:
    headers = {b"remote-address": address.encode("latin-1")} if address else {}
    return translated(ForeignRequest(path="/v1/events", body=body, headers=headers)).events


def only(event: dict[str, Any], address: str = "") -> ForeignEvent:
    (found,) = events_of(json.dumps([{"eventType": "x", **event}]).encode(), address)
    assert isinstance(found, ForeignEvent)
    return found


def rejection(event: Any) -> RejectedEvent:
    """The rejection of the second event of three."""
    first, found, last = events_of(json.dumps([{"eventType": "x"}, event, {"eventType": "y"}]).encode())
    assert isinstance(first, ForeignEvent)
    assert isinstance(last, ForeignEvent)
    assert isinstance(found, RejectedEvent)
    return found


def test_the_example_of_the_documentation_is_accepted_as_it_stands() -> None:
    battle, purchase = events_of(EXAMPLE)
    assert isinstance(battle, ForeignEvent)
    assert isinstance(purchase, ForeignEvent)
    assert [battle.type, purchase.type] == ["sword_battle", "store_purchase"]
    assert battle.properties == json.loads(EXAMPLE)[0]["data"]
    assert battle.context == {
        "build": "1.1.1",
        "device": "iPhone 5S",
        "user_name": "JaneDoe",
        "location": {"lat": 37.871984, "lon": -122.259420},
    }
    assert battle.user == "3dc6b97d-7388-11e4-bfb3-b8e8563b3f9a"
    assert battle.session == battle.visitor == "fff324c6-30a2-11e3-ad80-485d60066bda"
    assert battle.time == "2012-03-14T02:33:42.416587-07:00"
    assert json.loads(battle.raw) == json.loads(EXAMPLE)[0]
    assert (battle.id, battle.sent, battle.skewed) == (None, None, False)


def test_a_type_may_have_periods() -> None:
    assert only({"eventType": "battle.won"}).type == "battle.won"


@pytest.mark.parametrize(
    ("sent", "utc"),
    [
        ("2012-03-14T02:33:42.416587-07:00", "2012-03-14T09:33:42.416Z"),
        ("2012–03–14T02:33:42.416587+00:00", "2012-03-14T02:33:42.416Z"),
        ("2012-03-14T02:33:42.416587Z", "2012-03-14T02:33:42.416Z"),
    ],
)
def test_the_offset_of_a_time_counts_and_dashes_are_hyphens(sent: str, utc: str) -> None:
    assert read_event_time(only({"clientTimestamp": sent}).time) == read_event_time(utc)


@pytest.mark.parametrize("absent", [{}, {"clientTimestamp": None}, {"clientTimestamp": "undefined"}])
def test_an_event_without_a_time_has_none(absent: dict[str, Any]) -> None:
    assert only(absent).time is None


def test_the_time_of_the_server_says_when_an_event_that_is_sent_again_happened() -> None:
    event = only({"clientTimestamp": "2012-03-14T02:33:42-07:00", "serverTimestamp": "2012-03-14T09:33:44+00:00"})
    assert event.time == "2012-03-14T09:33:44+00:00"
    assert event.context == {"client_time": "2012-03-14T02:33:42-07:00"}
    assert not event.skewed


@pytest.mark.parametrize(
    ("sent", "id"), [("s-1", "s-1"), (1412345678901, "1412345678901"), (1412345678901.0, "1412345678901")]
)
def test_a_session_id_is_text_or_a_number_and_the_visitor_is_the_same(sent: Any, id: str) -> None:
    event = only({"sessionId": sent})
    assert (event.session, event.visitor, event.user) == (id, id, None)


def test_an_array_as_data_becomes_the_property_data() -> None:
    assert only({"data": [{"a": 1}, {"b": 2}]}).properties == {"data": [{"a": 1}, {"b": 2}]}


@pytest.mark.parametrize("absent", [{}, {"data": None}])
def test_an_event_without_data_has_no_properties(absent: dict[str, Any]) -> None:
    assert only(absent).properties == {}


@pytest.mark.parametrize(
    ("sent", "ip"), [("203.0.114.9", "203.0.114.9"), (" 8.8.8.8 ", "8.8.8.8"), ("2A00:1450::1", "2a00:1450::1")]
)
def test_the_address_that_a_client_names_is_in_the_context(sent: str, ip: str) -> None:
    assert only({}, sent).context == {"ip": ip}


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "1.2.3.4",
        "1.2.3.4”".encode().decode("latin-1"),
        "127.0.0.1",
        "10.0.0.7",
        "192.168.1.1",
        "::1",
        "fe80::1",
        "::",
        "unknown",
    ],
)
def test_an_address_that_no_client_has_is_unknown(sent: str) -> None:
    assert only({}, sent).context == {}


@pytest.mark.parametrize(
    ("event", "at"),
    [
        ({}, "/1/eventType"),
        ({"eventType": ""}, "/1/eventType"),
        ({"eventType": 7}, "/1/eventType"),
        ({"eventType": "x", "data": "text"}, "/1/data"),
        ({"eventType": "x", "clientTimestamp": "yesterday"}, "/1/clientTimestamp"),
        ({"eventType": "x", "serverTimestamp": True}, "/1/serverTimestamp"),
        ({"eventType": "x", "userId": {"id": "u"}}, "/1/userId"),
        ({"eventType": "x", "sessionId": True}, "/1/sessionId"),
        ("x", "/1"),
    ],
)
def test_a_bad_event_is_rejected_with_its_place_and_its_neighbours_are_taken(event: Any, at: str) -> None:
    rejected = rejection(event)
    assert (rejected.index, rejected.at, json.loads(bytes(rejected.body))) == (1, at, event)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"events":[]}', b"[{]", b"null"])
def test_a_body_that_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        events_of(body)
    assert refused.value.kind == "malformed"


def test_an_empty_array_has_no_events() -> None:
    assert events_of(b"[]") == ()


def test_more_than_500_events_are_too_many() -> None:
    event = b'{"eventType":"x"}'
    assert len(events_of(b"[%s]" % b",".join([event] * MAX_EVENTS))) == 500
    with pytest.raises(Refusal) as refused:
        events_of(b"[%s]" % b",".join([event] * 501))
    assert refused.value.kind == "too-large"


def test_a_signature_is_the_md5_of_the_raw_body_and_the_secret() -> None:
    assert verified(b"[]", b"a1decae2f9c68ce34805dc7852d92326", "secret")
    assert not verified(b"[] ", b"a1decae2f9c68ce34805dc7852d92326", "secret")


@given(st.binary(max_size=30), st.text(st.characters(codec="utf-8"), min_size=1, max_size=8))
def test_only_the_body_before_the_secret_makes_a_signature(body: bytes, secret: str) -> None:
    right = md5(body + secret.encode())
    assert verified(body, right, secret)
    turned = md5(secret.encode() + body)
    for wrong in (b"", right.upper(), right[:-1], right + b"0", turned, b"\xff" * 32):
        assert verified(body, wrong, secret) == (wrong == right)
