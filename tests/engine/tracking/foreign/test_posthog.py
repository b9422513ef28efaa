"""The translation of the requests of PostHog's clients."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from engine.tracking.foreign.items import MAX_EVENTS
from engine.tracking.foreign.posthog import translated, translation_steps
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Translation
from engine.tracking.intake.payload import MAX_BODY, Refusal, RejectedEvent

TIME = "2026-11-30T12:00:00.000Z"
SENT = "2026-11-30T12:00:05.000Z"
PAGE = {"$device_id": "d1", "$lib": "web"}


def translation(body: object, path: str = "/batch/") -> Translation:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return translated(ForeignRequest(path=path, body=raw))


def one(body: object) -> ForeignEvent:
    (event,) = translation(body).events
    assert isinstance(event, ForeignEvent)
    return event


def ids(properties: Mapping[str, Any], event: str = "seen", **members: Any) -> tuple[str | None, ...]:
    found = one({"event": event, "properties": properties, **members})
    return found.visitor, found.user, found.previous


def test_an_event_of_a_server_becomes_an_event_of_its_name() -> None:
    event = {
        "event": "order completed",
        "distinct_id": "u1",
        "timestamp": TIME,
        "uuid": "id-1",
        "properties": {"total": 620, "coupon": None, "$lib": "posthog-python", "$is_server": True},
    }
    body = {"batch": [event], "historical_migration": False, "sent_at": SENT, "api_key": "shop"}
    assert translation(body) == Translation(
        keys=("shop",),
        events=(
            ForeignEvent(
                at="/batch/0",
                raw=json.dumps(event).encode(),
                type="order completed",
                properties=event["properties"],  # type: ignore[arg-type]
                context={"sent": {"timestamp": TIME, "sentAt": SENT}},
                id="id-1",
                time=TIME,
                sent=SENT,
                user="u1",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"api_key": "shop", "event": "a"}, [""]),
        ({"api_key": "shop", "batch": [{"event": "a"}, {"event": "b"}]}, ["/batch/0", "/batch/1"]),
        ([{"event": "a", "api_key": "shop"}, {"event": "b"}], ["/0", "/1"]),
        ([{"event": "a", "properties": {"token": "shop"}}], ["/0"]),
        ({"token": "shop", "batch": []}, []),
    ],
)
@pytest.mark.parametrize("form", ["json", "base64", "unescaped base64", "json in a form"])
def test_a_body_is_an_event_a_batch_or_a_list_also_in_a_form(body: object, places: list[str], form: str) -> None:
    text = json.dumps(body).encode()
    forms = {
        "json": text,
        "base64": b"data=" + quote(b64encode(text)).encode() + b"&compression=base64",
        "unescaped base64": b"data=" + b64encode(text),
        "json in a form": b"data=" + quote(text).encode(),
    }
    found = translation(forms[form])
    assert [event.at for event in found.events if isinstance(event, ForeignEvent)] == places
    assert found.keys == (("shop",) if places or isinstance(body, dict) else ())


def test_a_plus_in_base64_is_taken_with_and_without_escape() -> None:
    text = b'{"event":"a","properties":{"v":"~~~>>>???"}}'
    encoded = b64encode(text)
    assert b"+" in encoded
    assert (
        one(b"data=" + encoded).properties == one(b"data=" + quote(encoded).encode()).properties == {"v": "~~~>>>???"}
    )


@pytest.mark.parametrize(
    ("name", "said", "type", "properties", "context"),
    [
        ("seen", {"a": 1}, "seen", {"a": 1}, {}),
        ("seen", {"a": 1, "$set": {"b": 2}}, "seen", {"a": 1, "$set": {"b": 2}}, {}),
        ("$autocapture", {"$el_text": "Buy"}, "$autocapture", {"$el_text": "Buy"}, {}),
        ("$pageview", {"$current_url": "/", "title": "Shop"}, "page", {"$current_url": "/", "title": "Shop"}, {}),
        ("$identify", {"$set": {"plan": "gold"}, "$set_once": {"via": "ad"}, "$lib": "web"}, "identify",
         {"plan": "gold"}, {"$set_once": {"via": "ad"}, "$lib": "web"}),
        ("$identify", {"$lib": "web"}, "identify", {}, {"$lib": "web"}),
        ("$set", {"$set": {"plan": "gold"}}, "identify", {"plan": "gold"}, {}),
        ("$set", {"$set": "gold"}, "identify", {}, {}),
        ("$groupidentify", {"$group_type": "company", "$group_key": "g1", "$group_set": {"size": 3}, "$lib": "web"},
         "group", {"size": 3, "groupId": "g1", "groupType": "company"},
         {"$group_type": "company", "$group_key": "g1", "$lib": "web"}),
        ("$create_alias", {"distinct_id": "u1", "alias": "u2"}, "alias", {"previousId": "u1", "userId": "u2"},
         {"distinct_id": "u1", "alias": "u2"}),
    ],
)  # fmt: skip
def test_events_about_persons_and_groups_have_the_types_of_segment(
    name: str, said: Mapping[str, Any], type: str, properties: Mapping[str, Any], context: Mapping[str, Any]
) -> None:
    found = one({"event": name, "properties": said})
    assert (found.type, found.properties, found.context) == (type, properties, {**context, "sent": {}})


def test_what_a_server_sets_of_a_person_stands_beside_the_properties() -> None:
    event = {"event": "$set", "distinct_id": "u1", "properties": {"$lib": "x"}, "$set": {"plan": "gold"}}
    found = one(event)
    assert (found.type, found.properties, found.context) == ("identify", {"plan": "gold"}, {"$lib": "x", "sent": {}})
    seen = one({**event, "event": "seen", "$set_once": {"via": "ad"}})
    assert seen.properties == {"$lib": "x", "$set": {"plan": "gold"}, "$set_once": {"via": "ad"}}


BEFORE = {**PAGE, "distinct_id": "d1", "$is_identified": False}
AFTER = {**PAGE, "distinct_id": "u1", "$user_id": "u1", "$is_identified": True}
LOGGED_OUT = {**PAGE, "distinct_id": "d2", "$is_identified": False}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param(BEFORE, ("d1", None, None), id="before the login"),
        pytest.param(AFTER, ("d1", "u1", None), id="after the login"),
        pytest.param(LOGGED_OUT, ("d2", None, None), id="after the logout the page has a new id"),
        pytest.param({**PAGE, "distinct_id": "d1"}, ("d1", None, None), id="before the login, an earlier version"),
        pytest.param({**PAGE, "distinct_id": "u1"}, ("d1", "u1", None), id="after the login, an earlier version"),
        pytest.param({**PAGE, "distinct_id": "u1", "$is_identified": True}, ("d1", "u1", None), id="known before"),
        pytest.param({"distinct_id": "u1"}, (None, "u1", None), id="a server"),
        pytest.param({"distinct_id": 42}, (None, "42", None), id="a number"),
        pytest.param({"distinct_id": True}, (None, None, None), id="no id"),
        pytest.param({}, (None, None, None), id="no id at all"),
        pytest.param(
            {"distinct_id": "x", "$process_person_profile": False},
            (None, None, None),
            id="a server's event without a person",
        ),
        pytest.param({**BEFORE, "$process_person_profile": False}, ("d1", None, None), id="a page without persons"),
        pytest.param({"distinct_id": "$posthog_cookieless", "$device_id": None}, (None, None, None), id="no cookies"),
    ],
)
def test_a_distinct_id_is_a_device_or_a_user(properties: Mapping[str, Any], expected: tuple[str | None, ...]) -> None:
    assert ids(properties) == expected


def test_a_distinct_id_of_an_event_counts_before_that_of_its_properties() -> None:
    assert ids({"distinct_id": "u2"}, distinct_id="u1") == (None, "u1", None)


@pytest.mark.parametrize("event", ["$create_alias", "$merge_dangerously"])
@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({"distinct_id": "u1", "alias": "u2"}, (None, "u2", "u1"), id="a server"),
        pytest.param({**AFTER, "alias": "u2"}, ("d1", "u2", "u1"), id="a page after the login"),
        pytest.param({**BEFORE, "alias": "u2"}, ("d1", "u2", None), id="a page before the login names its user"),
        pytest.param({**AFTER}, ("d1", "u1", None), id="no alias"),
    ],
)
def test_an_alias_is_a_later_id_of_a_user(
    event: str, properties: Mapping[str, Any], expected: tuple[str | None, ...]
) -> None:
    assert ids(properties, event) == expected


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({**AFTER, "$anon_distinct_id": "d2"}, ("d2", "u1", None)),
        (AFTER, ("d1", "u1", None)),
        ({"distinct_id": "u1", "$is_identified": False}, (None, "u1", None)),
    ],
)
def test_an_identify_names_the_device_that_it_was(
    properties: Mapping[str, Any], expected: tuple[str | None, ...]
) -> None:
    assert ids(properties, "$identify") == expected


@pytest.mark.parametrize(
    ("members", "id", "session"),
    [
        ({"uuid": "a", "properties": {"$insert_id": "b", "$session_id": "s"}}, "a", "s"),
        ({"properties": {"$insert_id": "b", "$session_id": 5}}, "b", "5"),
        ({"properties": {"$insert_id": ["b"], "$session_id": None}}, None, None),
        ({}, None, None),
    ],
)
def test_an_event_has_the_id_and_the_session_that_its_client_made(
    members: Mapping[str, Any], id: str | None, session: str | None
) -> None:
    found = one({"event": "seen", "distinct_id": "u1", **members})
    assert (found.id, found.session) == (id, session)


@pytest.mark.parametrize("said", [{}, {"distinct_id": "x", "$process_person_profile": False}])
def test_the_session_of_an_event_without_a_person_names_none(said: Mapping[str, Any]) -> None:
    found = one({"event": "seen", "properties": {"$session_id": "s-1", **said}})
    assert (found.visitor, found.user, found.session) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ({"api_key": "shop", "batch": [{"event": "a", "properties": {"token": "a coupon"}}]}, ("shop",)),
        ({"batch": [{"event": "a", "api_key": "one"}, {"event": "a", "token": "two"}]}, ("one", "two")),
        ({"batch": [{"event": "a", "properties": {"token": "shop"}}] * 2}, ("shop",)),
        ({"batch": [{"event": "a", "properties": {"token": 5}}], "api_key": None}, ()),
    ],
)
def test_a_key_is_in_the_body_or_in_an_event_and_a_property_only_counts_without_these(
    body: Mapping[str, Any], keys: tuple[str, ...]
) -> None:
    assert translation(body).keys == keys


@pytest.mark.parametrize(
    ("event", "at"),
    [
        ({}, "/event"),
        ({"event": ""}, "/event"),
        ({"event": 5}, "/event"),
        ({"event": "a", "distinct_id": [1]}, "/distinct_id"),
        ({"event": "a", "uuid": {}}, "/uuid"),
        ({"event": "a", "properties": "b"}, "/properties"),
        ({"event": "a", "$set": []}, "/$set"),
        (None, ""),
    ],
)
def test_an_event_that_cannot_be_read_is_rejected_and_no_other(event: object, at: str) -> None:
    good = {"event": "good"}
    for body, place in (({"batch": [good, event, good]}, "/batch/1"), ([good, event, good], "/1")):
        events = translation(body).events
        assert [type(event) for event in events] == [ForeignEvent, RejectedEvent, ForeignEvent]
        found = events[1]
        assert isinstance(found, RejectedEvent)
        assert (found.index, found.at) == (1, place + at)
        assert json.loads(bytes(found.body)) == event


@pytest.mark.parametrize(("form", "at"), [(b'{"batch":%s}', "/batch/1"), (b"%s", "/1")])
def test_an_event_that_is_no_json_is_rejected_and_no_other(form: bytes, at: str) -> None:
    events = translation(form % b'[{"event":"a"},{"event":"b","properties":{"v":NaN}},{"event":"c\\ud800"}]').events
    assert [type(event) for event in events] == [ForeignEvent, RejectedEvent, ForeignEvent]
    assert isinstance(events[1], RejectedEvent)
    assert isinstance(events[2], ForeignEvent)
    assert (events[1].at, events[2].type) == (f"{at}/properties/v", "c\ufffd")


@pytest.mark.parametrize(
    ("body", "kind", "at"),
    [
        (b"", "malformed", ""),
        (b"5", "malformed", ""),
        (b'{"batch":5}', "malformed", "/batch"),
        (b'{"event":"a",}', "malformed", ""),
        (b"[1", "malformed", ""),
        (b"data=%7B", "malformed", ""),
        (b"data=$$$", "malformed", ""),
        (b"data=", "malformed", ""),
        (b"[%s]" % b",".join([b"{}"] * (MAX_EVENTS + 1)), "too-large", ""),
        (b'{"batch":[%s]}' % b",".join([b"{}"] * (MAX_EVENTS + 1)), "too-large", "/batch"),
    ],
)
def test_a_request_is_refused_for_its_envelope_alone(body: bytes, kind: str, at: str) -> None:
    with pytest.raises(Refusal) as refused:
        translation(body)
    assert (refused.value.kind, refused.value.at) == (kind, at)


def test_a_translation_may_rest_between_two_events() -> None:
    body = b'{"batch":[%s]}' % b",".join([b'{"event":"seen"}'] * 5)
    assert len(list(translation_steps(ForeignRequest(path="/batch", body=body)))) == 4


@pytest.mark.parametrize("sent", ["x" * 100_000, [[[[1]]]], {"a": 1}, True, 10**999])
def test_what_is_no_time_in_sent_at_of_a_batch_is_kept_with_none_of_its_events(sent: Any) -> None:
    body = {"batch": [{"event": "seen", "distinct_id": "u1"}], "sent_at": sent}
    (event,) = translated(ForeignRequest(path="/batch", body=json.dumps(body).encode())).events
    assert isinstance(event, ForeignEvent)
    assert (event.sent, event.context) == (None, {"sent": {}})


def test_an_event_that_is_longer_than_a_payload_may_be_is_rejected_and_no_other() -> None:
    long, short = [{"event": "a", "distinct_id": "u1", "properties": {"text": "x" * size}} for size in (MAX_BODY, 1000)]
    found, taken = translation({"batch": [long, short]}).events
    assert isinstance(found, RejectedEvent)
    assert isinstance(taken, ForeignEvent)
    assert (found.at, found.reason[:33]) == ("/batch/0", "an event has at most 1,048,576 by")
