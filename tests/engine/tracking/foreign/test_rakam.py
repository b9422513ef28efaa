"""Rakam: requests of one event and of many, their keys, checksums and errors."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.tracking.foreign.rakam import ADDRESSES, MAX_BATCH, MAX_EVENTS, translated
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Translation
from engine.tracking.intake.payload import Refusal, RejectedEvent

EXAMPLE = (Path(__file__).parent / "rakam_example.txt").read_bytes()  # of Rakam's documentation
API = {"api_key": "WK"}
NOW = 1_480_457_838_042
UPLOAD = 1_480_457_900_000


def request(path: str, body: Any, **rest: Any) -> ForeignRequest:
    return ForeignRequest(path=path, body=body if isinstance(body, bytes) else json.dumps(body).encode(), **rest)


def collected(properties: dict[str, Any], api: dict[str, Any] = API, **rest: Any) -> ForeignEvent:
    body = {"collection": "pageView", "api": api, "properties": properties}
    (event,) = translated(request("/event/collect", body, **rest)).events
    assert isinstance(event, ForeignEvent)
    return event


def batch(events: list[Any], api: dict[str, Any] = API) -> tuple[ForeignEvent | RejectedEvent, ...]:
    return translated(request("/event/batch", {"api": api, "events": events})).events


def refusal(path: str, body: Any, **rest: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        translated(request(path, body, **rest))
    return refused.value


def checksum(api: dict[str, Any], events: bytes) -> str:
    signed = f"{api['api_key']}{api.get('api_version', '')}{api.get('upload_time', '')}".encode() + events
    return hashlib.md5(signed, usedforsecurity=False).hexdigest().upper()


def test_a_collection_and_its_properties_become_an_event() -> None:
    event = collected({"url": "http://x/", "pageDuration": 5, "_user": "u1", "_time": NOW, "_referrer": "http://y/"})
    assert (event.type, event.user, event.time) == ("pageview", "u1", NOW)
    assert event.properties == {"url": "http://x/", "page_duration": 5, "_referrer": "http://y/"}
    assert event.context == {}
    assert (event.id, event.visitor, event.session, event.skewed) == (None, None, None, False)


def test_the_example_of_the_documentation_lacks_commas_and_is_refused_where_the_first_one_is_missing() -> None:
    refused = refusal("/event/collect", EXAMPLE, headers={b"write_key": b"WK"})
    assert refused.kind == "malformed"
    assert refused.detail.startswith("JSON couldn't parsed: ")
    byte = re.search(r"byte (\d+)", refused.detail)
    assert byte is not None
    assert EXAMPLE[: int(byte[1])].rstrip().endswith(b'"c88d7bad-af01-433f-bef1-dc107cee4334"')


def test_the_example_with_its_commas_is_accepted_and_the_impossible_address_is_text() -> None:
    mended = re.sub(rb'"\n(\s+"_)', rb'",\n\1', EXAMPLE)
    translation = translated(request("/event/collect", mended, headers={b"write_key": b"WK"}))
    (event,) = translation.events
    assert isinstance(event, ForeignEvent)
    assert (event.type, event.user, event.time) == ("pageview", "someuser@rakam.io", NOW)
    assert event.properties == {
        "user_agent": "Firefox",
        "locale": "TR-tr",
        "url": "http://mysite.com/blog-post",
        "referrer": "http://google.com/?q=term",
        "ip": "186.45.356.33",
        "platform": "web",
        "page_duration": 5,
        "session_id": "c88d7bad-af01-433f-bef1-dc107cee4334",
    }
    assert translation.keys == ()


@pytest.mark.parametrize("order", [("api", "properties", "collection"), ("properties", "collection", "api")])
def test_the_fields_may_come_in_any_order(order: tuple[str, ...]) -> None:
    fields = {"collection": "a", "api": API, "properties": {"n": 1}}
    translation = translated(request("/event/collect", {name: fields[name] for name in order}))
    (event,) = translation.events
    assert isinstance(event, ForeignEvent)
    assert (event.type, event.properties, translation.keys) == ("a", {"n": 1}, ("WK",))


def test_ids_may_be_numbers_and_are_no_properties() -> None:
    event = collected({"_user": 17, "_device_id": "d-1", "_session_id": NOW, "_id": "e-1", "deviceId": "mine"})
    assert (event.user, event.visitor, event.session, event.id) == ("17", "d-1", str(NOW), "e-1")
    assert event.properties == {"device_id": "mine"}


def test_what_the_server_is_asked_to_fill_in_is_in_the_context() -> None:
    asked = {"_ip": True, "_user_agent": True, "n": 1}
    event = collected(asked, address="203.0.113.7", headers={b"user-agent": b"Firefox"})
    assert (event.properties, event.context) == ({"n": 1}, {"ip": "203.0.113.7", "user_agent": "Firefox"})
    unknown = collected(asked)
    assert (unknown.properties, unknown.context) == ({"n": 1}, {})


def test_an_address_and_an_agent_that_the_client_sends_are_properties() -> None:
    sent = {"_ip": "203.0.113.7", "_user_agent": "Firefox"}
    event = collected(sent, address="198.51.100.1", headers={b"user-agent": b"curl"})
    assert (event.properties, event.context) == (sent, {})


def test_the_library_of_a_client_is_in_the_context() -> None:
    library = {"name": "rakam-android", "version": "2.7"}
    assert collected({}, {**API, "library": library}).context == {"library": library}


@pytest.mark.parametrize("value", ["x" * 201, [[["nested"]]], {"a": "b"}, 10**999, None])
def test_only_short_texts_of_a_library_are_kept_with_each_event(value: Any) -> None:
    library = {"name": "rakam-js", "more": value}
    assert collected({}, {**API, "library": library}).context == {"library": {"name": "rakam-js"}}
    assert collected({}, {**API, "library": {"more": value}}).context == {}
    many = {f"member{n}": "text" for n in range(1000)}
    assert len(collected({}, {**API, "library": many}).context["library"]) == 10


def test_a_long_user_agent_is_cut() -> None:
    event = collected({"_user_agent": True}, headers={b"user-agent": b"x" * 60_000})
    assert event.context == {"user_agent": "x" * 1000}


@pytest.mark.parametrize(
    ("time", "upload_time", "skewed"),
    [
        (NOW, UPLOAD, True),
        (NOW, None, False),
        ("2016-11-29T22:17:18Z", UPLOAD, False),
        (NOW, "soon", False),
        (None, UPLOAD, False),
    ],
)
def test_a_time_in_milliseconds_is_corrected_by_the_upload_time(time: Any, upload_time: Any, skewed: bool) -> None:
    event = collected({"_time": time}, {**API, "upload_time": upload_time})
    assert event.skewed == skewed
    assert event.sent == (None if time is None or upload_time == "soon" else upload_time)


@pytest.mark.parametrize(
    ("body", "at", "detail"),
    [
        ({"collection": "a", "properties": {}}, "/api", "api parameter is required"),
        ({"collection": "a", "api": {}, "properties": {}}, "/api/api_key", "api.api_key is required"),
        ({"collection": "a", "api": {"api_key": ""}}, "/api/api_key", "api.api_key is required"),
        ({"collection": "a", "api": "WK"}, "/api", "api must be an object"),
        ({"api": API, "properties": {}}, "/collection", "collection parameter must be a string"),
        ({"collection": 7, "api": API}, "/collection", "collection parameter must be a string"),
        ({"collection": "a", "api": API, "properties": []}, "/properties", "properties must be an object"),
        (
            {"collection": "a", "api": API, "properties": {}, "x": 1},
            "",
            "Unrecognized field 'x'. Should be one of (api, collection, properties)",
        ),
        (
            {"collection": "a", "api": API, "properties": {"_user": []}},
            "/properties/_user",
            "_user field must be numeric or string.",
        ),
        ([], "", "JSON couldn't parsed: the body must be a JSON object"),
        (b"", "", "JSON couldn't parsed: the body is empty"),
    ],
)
def test_a_request_of_one_event_is_refused_in_rakams_words(body: Any, at: str, detail: str) -> None:
    refused = refusal("/event/collect", body)
    assert (refused.kind, refused.at, refused.detail) == ("malformed", at, detail)


def test_a_bad_time_refuses_a_single_event() -> None:
    refused = refusal("/event/collect", {"collection": "a", "api": API, "properties": {"_time": "yesterday"}})
    assert (refused.kind, refused.at) == ("malformed", "/properties/_time")


def test_a_number_that_is_no_json_refuses_a_single_event_with_its_place() -> None:
    refused = refusal("/event/collect", b'{"collection":"a","api":{"api_key":"WK"},"properties":{"n":NaN}}')
    assert (refused.kind, refused.at) == ("malformed", "/properties/n")
    assert refused.detail.startswith("JSON couldn't parsed: ")


def test_a_whole_number_as_event_id_is_tolerated() -> None:
    body = {"collection": "a", "api": API, "properties": {}, "event_id": 7}
    assert len(translated(request("/event/collect", body)).events) == 1
    assert "Unrecognized field 'event_id'" in refusal("/event/collect", {**body, "event_id": "7"}).detail


@pytest.mark.parametrize(
    "beside",
    [
        {"headers": {b"write_key": b"WK"}},
        {"headers": {b"master_key": b"MK"}},
        {"headers": {b"api_key": b"K"}},
        {"query": {"api.api_key": ["WK"]}},
        {"query": {"master_key": ["MK"]}},
    ],
)
def test_a_key_beside_the_body_is_enough(beside: dict[str, Any]) -> None:
    for body in ({"collection": "a"}, {"collection": "a", "api": {}}):
        assert translated(request("/event/collect", body, **beside)).keys == ()


def test_a_batch_is_taken_in_its_order_and_the_bad_events_of_it_are_rejected() -> None:
    events: list[Any] = [
        {"collection": "a", "properties": {"_user": "u1", "n": 1}},
        {"collection": "b", "properties": {"_time": "yesterday"}},
        {"collection": "c", "properties": {"_user": True}},
        {"collection": "d", "properties": {"имя": 1}},
        {"collection": "e", "x": 1},
        7,
        {"collection": "F"},
    ]
    first, *rejected, last = batch(events)
    assert isinstance(first, ForeignEvent)
    assert isinstance(last, ForeignEvent)
    assert (first.type, first.user, first.properties) == ("a", "u1", {"n": 1})
    assert (last.type, last.properties, last.at) == ("f", {}, "/events/6")
    assert [(event.index, event.at) for event in rejected if isinstance(event, RejectedEvent)] == [
        (1, "/events/1/properties/_time"),
        (2, "/events/2/properties/_user"),
        (3, "/events/3/properties/имя"),
        (4, "/events/4"),
        (5, "/events/5"),
    ]


def test_the_text_of_an_event_in_a_batch_is_its_own() -> None:
    body = b'{"api":{"api_key":"WK"}, "events" : [ {"collection":"a", "properties":{"v":1.50}} ]}'
    (event,) = translated(request("/event/batch", body)).events
    assert isinstance(event, ForeignEvent)
    assert event.raw == b'{"collection":"a", "properties":{"v":1.50}}'


def test_a_malformed_event_of_a_batch_is_rejected_alone() -> None:
    body = b'{"api":{"api_key":"WK"},"events":[{"collection":"a"},{"collection":NaN},{"collection":"b"}]}'
    first, rejected, last = translated(request("/event/batch", body)).events
    assert isinstance(rejected, RejectedEvent)
    assert rejected.at == "/events/1/collection"
    assert isinstance(first, ForeignEvent)
    assert isinstance(last, ForeignEvent)


@pytest.mark.parametrize("shape", ["[{}]", '[ {"collection": "a", "properties": {"é": [1, 2]}} ]', "[]"])
@pytest.mark.parametrize("path", ["/event/batch", "/event/bulk"])
@pytest.mark.parametrize("also", [{}, {"api_version": 1, "upload_time": UPLOAD}, {"api_version": "1.0"}])
def test_a_checksum_is_of_the_raw_text_of_the_events(path: str, shape: str, also: dict[str, Any]) -> None:
    events = shape.encode()

    def signed(sum: str) -> bytes:
        return b'{"api":%s, "events" : %s }' % (json.dumps({**API, **also, "checksum": sum}).encode(), events)

    right = checksum({**API, **also}, events)
    assert translated(request(path, signed(right))).events == translated(request(path, signed(right.lower()))).events
    for wrong in (checksum({**API, **also}, events + b" "), "", "é"):
        refused = refusal(path, signed(wrong))
        assert (refused.kind, refused.detail) == ("malformed", "Checksum is invalid")


def test_a_batch_of_more_than_500_000_bytes_is_too_big() -> None:
    body = json.dumps({"api": API, "events": [{"collection": "a", "properties": {"v": "x" * 499_900}}]}).encode()
    padded = body.ljust(MAX_BATCH)
    assert len(translated(request("/event/batch", padded)).events) == 1
    refused = refusal("/event/batch", padded + b" ")
    assert (refused.kind, refused.detail) == ("too-large", "The body is too big, use /bulk endpoint.")
    assert len(translated(request("/event/bulk", padded + b" ")).events) == 1


def test_a_batch_of_too_many_events_is_too_large() -> None:
    assert len(batch([{"collection": "a"}] * MAX_EVENTS)) == MAX_EVENTS
    assert refusal("/event/batch", {"api": API, "events": [{}] * (MAX_EVENTS + 1)}).kind == "too-large"


@pytest.mark.parametrize(
    ("body", "at", "detail"),
    [
        ({"events": []}, "/api", "api parameter is required"),
        ({"api": API}, "/events", "events parameter is required"),
        ({"api": API, "events": {}}, "/events", "the events must be a JSON array"),
        ({"api": API, "events": [], "x": 1}, "", "Unrecognized field 'x'. Should be one of (api, events)"),
    ],
)
def test_the_envelope_of_a_batch_is_refused_in_rakams_words(body: Any, at: str, detail: str) -> None:
    refused = refusal("/event/batch", body)
    assert (refused.kind, refused.at, refused.detail) == ("malformed", at, detail)


def test_a_commit_of_bulk_events_has_no_events() -> None:
    assert translated(request("/event/bulk/commit", {"collections": ["a"]})) == Translation(events=())


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_slash_at_the_end_makes_no_difference(path: str) -> None:
    def end(path: str) -> Any:
        try:
            return translated(request(path, {"api": API}))
        except Refusal as refused:
            return refused.detail

    assert end(path + "/") == end(path)
