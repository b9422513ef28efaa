"""The translation of the requests of Segment's and RudderStack's clients."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from engine.tracking.foreign.items import MAX_EVENTS
from engine.tracking.foreign.segment import translated, translation_steps
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Translation
from engine.tracking.intake.payload import MAX_BODY, Refusal, RejectedEvent

TIME = "2026-11-30T12:00:00.000Z"
SENT = "2026-11-30T12:00:05.000Z"
TRAITS = {"plan": "gold"}


def translation(path: str, body: object) -> Translation:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return translated(ForeignRequest(path=path, body=raw))


def one(path: str, body: object) -> ForeignEvent:
    (event,) = translation(path, body).events
    assert isinstance(event, ForeignEvent)
    return event


def rejection(path: str, body: object) -> RejectedEvent:
    events = translation(path, body).events
    (event,) = [event for event in events if isinstance(event, RejectedEvent)]
    return event


def test_a_track_call_becomes_an_event_of_its_name() -> None:
    body = {
        "messageId": "m1",
        "timestamp": TIME,
        "sentAt": SENT,
        "type": "track",
        "event": "Order Completed",
        "userId": "u1",
        "anonymousId": "a1",
        "properties": {"total": 620, "coupon": None},
        "context": {"library": {"name": "analytics.js"}, "sessionId": 1764504000000},
        "integrations": {"All": True},
        "channel": "web",
        "writeKey": "shop",
        "_metadata": {"nodeVersion": "22"},
    }
    assert translation("/v1/track", body).keys == ("shop",)
    assert one("/v1/track", body) == ForeignEvent(
        at="",
        raw=json.dumps(body).encode(),
        type="Order Completed",
        properties={"total": 620, "coupon": None},
        context={
            "library": {"name": "analytics.js"},
            "sessionId": 1764504000000,
            "sent": {"timestamp": TIME, "sentAt": SENT, "channel": "web", "integrations": {"All": True}},
        },
        id="m1",
        time=TIME,
        sent=SENT,
        visitor="a1",
        user="u1",
        session="1764504000000",
    )


@pytest.mark.parametrize(
    ("event", "type", "properties"),
    [
        ({"type": "track", "event": "seen", "properties": {"a": 1}}, "seen", {"a": 1}),
        ({"type": "track", "event": "seen", "properties": None}, "seen", {}),
        ({"type": "identify", "traits": TRAITS}, "identify", TRAITS),
        ({"type": "identify", "context": {"traits": TRAITS}}, "identify", TRAITS),
        ({"type": "identify", "traits": {"plan": "gold"}, "context": {"traits": {"plan": "", "a": 1}}}, "identify",
         {"plan": "gold", "a": 1}),
        ({"type": "identify", "context": {"traits": "none"}}, "identify", {}),
        ({"type": "page", "name": "Home", "category": "Shop", "properties": {"path": "/"}}, "page",
         {"path": "/", "name": "Home", "category": "Shop"}),
        ({"type": "page", "name": None, "category": None, "properties": {"name": "Home"}}, "page", {"name": "Home"}),
        ({"type": "screen", "name": None, "category": "Home"}, "screen", {"category": "Home"}),
        ({"type": "group", "groupId": "g1", "traits": TRAITS}, "group", {"plan": "gold", "groupId": "g1"}),
        ({"type": "group", "groupId": 7, "context": {"traits": TRAITS}}, "group", {"groupId": 7}),
        ({"type": "alias", "previousId": "old", "userId": "new"}, "alias", {"previousId": "old", "userId": "new"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/{type}", "/v1/{type}/", "/v1/{letter}"])
def test_each_kind_has_its_type_and_properties(
    path: str, event: Mapping[str, Any], type: str, properties: Mapping[str, Any]
) -> None:
    path = path.format(type=event["type"], letter=event["type"][0])
    found = one(path, {"batch": [event]} if path == "/v1/batch" else {**event, "type": None})
    assert (found.type, found.properties) == (type, properties)


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/", "/v1/b", "/v1/import", "/beacon/v1/batch"])
def test_a_batch_keeps_the_order_and_gives_each_event_its_place(path: str) -> None:
    batch = [{"type": "track", "event": name, "userId": name} for name in ("first", "second", "third")]
    events = translation(path, {"batch": batch, "sentAt": SENT, "writeKey": "shop"}).events
    assert [(event.at, event.type, event.user, event.sent) for event in events if isinstance(event, ForeignEvent)] == [
        ("/batch/0", "first", "first", SENT),
        ("/batch/1", "second", "second", SENT),
        ("/batch/2", "third", "third", SENT),
    ]


def test_a_batch_may_be_empty() -> None:
    assert translation("/v1/batch", {"batch": []}) == Translation(events=())


def test_the_text_of_an_event_is_its_own_part_of_the_body() -> None:
    body = b'{"batch": [ {"type":"page", "name": "\\u00e9"} , {"type":"screen"}]}'
    events = translation("/v1/batch", body).events
    raws = [event.raw for event in events if isinstance(event, ForeignEvent)]
    assert raws == [b'{"type":"page", "name": "\\u00e9"}', b'{"type":"screen"}']


def test_the_time_of_sending_in_an_event_counts_before_that_of_its_batch() -> None:
    assert one("/v1/b", {"batch": [{"type": "page", "sentAt": SENT}], "sentAt": TIME}).sent == SENT


@pytest.mark.parametrize(
    ("members", "time"),
    [
        ({"timestamp": TIME}, TIME),
        ({"originalTimestamp": TIME}, TIME),
        ({"timestamp": TIME, "originalTimestamp": SENT}, TIME),
        ({"timestamp": None, "originalTimestamp": TIME}, TIME),
        ({}, None),
    ],
)
def test_an_event_has_the_time_of_either_member(members: Mapping[str, Any], time: str | None) -> None:
    event = one("/v1/page", members)
    assert (event.time, event.context["sent"].get("timestamp")) == (time, time)


@pytest.mark.parametrize(
    ("members", "visitor", "user", "session"),
    [
        ({"anonymousId": "a", "userId": None}, "a", None, None),
        ({"anonymousId": None, "userId": "u"}, None, "u", None),
        ({"anonymousId": "a", "userId": 42}, "a", "42", None),
        ({"anonymousId": 7, "userId": ""}, "7", None, None),
        ({"context": {"sessionId": "s1"}}, None, None, "s1"),
        ({"context": {"sessionId": {"id": 1}}}, None, None, None),
        ({"context": {"sessionId": True}}, None, None, None),
        ({"userId": 10**30}, None, str(10**30), None),
    ],
)
def test_ids_become_text(
    members: Mapping[str, Any], visitor: str | None, user: str | None, session: str | None
) -> None:
    event = one("/v1/identify", members)
    assert (event.visitor, event.user, event.session) == (visitor, user, session)


@pytest.mark.parametrize(
    ("kind", "members", "previous"),
    [
        ("alias", {"previousId": "old", "userId": "new"}, "old"),
        ("alias", {"previousId": 1, "userId": "new"}, "1"),
        ("alias", {"previousId": "a", "anonymousId": "a", "userId": "new"}, None),
        ("alias", {"userId": "new"}, None),
        ("identify", {"previousId": "old", "userId": "new"}, None),
    ],
)
def test_an_alias_names_an_earlier_user_unless_it_names_the_device(
    kind: str, members: Mapping[str, Any], previous: str | None
) -> None:
    assert one(f"/v1/{kind}", members).previous == previous


def test_the_keys_of_a_batch_and_of_its_events_are_named_once_each() -> None:
    batch = [{"type": "page", "writeKey": "shop"}, {"type": "page", "writeKey": "other"}, {"type": "x", "writeKey": 5}]
    assert translation("/v1/batch", {"batch": batch, "writeKey": "shop"}).keys == ("shop", "other")
    assert translation("/v1/batch", {"batch": [{"type": "page", "writeKey": ""}]}).keys == ()


@pytest.mark.parametrize(
    ("event", "at", "reason"),
    [
        ({"type": "buy"}, "/type", "`type` is one of track, identify, page, screen, group, alias"),
        ({}, "/type", "`type` is one of track, identify, page, screen, group, alias"),
        ({"type": ["page"]}, "/type", "expected `str | null`, got `array`"),
        ({"type": "track"}, "/event", "`event` is missing: it names what was done"),
        ({"type": "track", "event": ""}, "/event", "`event` is missing: it names what was done"),
        ({"type": "track", "event": 5}, "/event", "expected `str | null`, got `int`"),
        ({"type": "page", "userId": {"id": 1}}, "/userId", "must be text or a number"),
        ({"type": "page", "messageId": True}, "/messageId", "must be text or a number"),
        ({"type": "page", "properties": []}, "/properties", "expected `object | null`, got `array`"),
        ({"type": "page", "context": "web"}, "/context", "expected `object | null`, got `str`"),
        ("page", "", "must be a JSON object"),
    ],
)
def test_an_event_that_cannot_be_read_is_rejected_and_no_other(event: object, at: str, reason: str) -> None:
    good = {"type": "track", "event": "good"}
    events = translation("/v1/batch", {"batch": [good, event, good]}).events
    assert [type(event) for event in events] == [ForeignEvent, RejectedEvent, ForeignEvent]
    found = events[1]
    assert isinstance(found, RejectedEvent)
    assert (found.index, found.at, found.reason) == (1, f"/batch/1{at}", reason)
    assert json.loads(bytes(found.body)) == event


def test_a_single_event_that_cannot_be_read_is_rejected() -> None:
    found = rejection("/v1/track", {"event": 5})
    assert (found.index, found.at) == (0, "/event")


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"[1,]", b'"\\q"', b'"\xff"', b"undefined"])
def test_an_event_that_is_no_json_is_rejected_and_no_other(value: bytes) -> None:
    body = b'{"batch":[{"type":"page"},{"type":"page","properties":{"v":%s}}],"sentAt":"x"}' % value
    events = translation("/v1/batch", body).events
    assert isinstance(events[0], ForeignEvent)
    assert isinstance(events[1], RejectedEvent)
    assert events[1].at.startswith("/batch/1")


def test_half_a_character_is_replaced() -> None:
    body = rb'{"batch":[{"type":"track","event":"seen","properties":{"v":"a\ud83d"}}]}'
    assert one("/v1/batch", body).properties == {"v": "a\ufffd"}
    single = rb'{"event":"seen","properties":{"v":"a\ud83d"}}'
    assert one("/v1/track", single).properties == {"v": "a\ufffd"}


@pytest.mark.parametrize(
    ("path", "body", "kind", "at"),
    [
        ("/v1/batch", b"", "malformed", ""),
        ("/v1/batch", b"{", "malformed", ""),
        ("/v1/batch", b"[]", "malformed", ""),
        ("/v1/batch", b"{}", "malformed", "/batch"),
        ("/v1/batch", b'{"batch":null}', "malformed", "/batch"),
        ("/v1/batch", b'{"batch":{"type":"page"}}', "malformed", "/batch"),
        ("/v1/batch", b'{"batch":[],"sentAt":NaN}', "malformed", "/sentAt"),
        ("/v1/track", b"", "malformed", ""),
        ("/v1/track", b"[]", "malformed", ""),
        ("/v1/track", b"null", "malformed", ""),
        ("/v1/track", b'{"event":"x",}', "malformed", ""),
        ("/v1/batch", b'{"batch":[%s]}' % b",".join([b"{}"] * (MAX_EVENTS + 1)), "too-large", "/batch"),
        ("/v1/batch", b'{"batch":[%s]}' % b",".join([b"NaN"] * (MAX_EVENTS + 1)), "too-large", "/batch"),
    ],
)
def test_a_request_is_refused_for_its_envelope_alone(path: str, body: bytes, kind: str, at: str) -> None:
    with pytest.raises(Refusal) as refused:
        translation(path, body)
    assert (refused.value.kind, refused.value.at) == (kind, at)


def test_as_many_events_as_a_request_carries_are_taken() -> None:
    body = b'{"batch":[%s]}' % b",".join([b'{"type":"page"}'] * MAX_EVENTS)
    assert len(translation("/v1/batch", body).events) == MAX_EVENTS


def test_a_translation_may_rest_between_two_events() -> None:
    body = b'{"batch":[%s]}' % b",".join([b'{"type":"page"}'] * 5)
    assert len(list(translation_steps(ForeignRequest(path="/batch", body=body)))) == 4


@pytest.mark.parametrize("sent", ["x" * 100_000, [[[[1]]]], {"a": 1}, True, 10**999])
def test_what_is_no_time_in_sent_at_of_a_batch_is_kept_with_none_of_its_events(sent: Any) -> None:
    event = one("/v1/batch", {"batch": [{"type": "page", "anonymousId": "a1"}], "sentAt": sent})
    assert (event.sent, event.context) == (None, {"sent": {}})


def test_an_event_that_is_longer_than_a_payload_may_be_is_rejected_and_no_other() -> None:
    long, short = [
        {"type": "track", "event": "a", "anonymousId": "a1", "properties": {"text": "x" * size}}
        for size in (MAX_BODY, 1000)
    ]
    found, taken = translation("/v1/batch", {"batch": [long, short]}).events
    assert isinstance(found, RejectedEvent)
    assert isinstance(taken, ForeignEvent)
    assert (found.at, found.reason[:33]) == ("/batch/0", "an event has at most 1,048,576 by")
