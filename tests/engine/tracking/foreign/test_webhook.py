"""Deliveries to a webhook become events whose ids are the same whenever the delivery is repeated."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from engine.project.project import Settings
from engine.project.webhook import REQUEST_ROOTS, ListedEvents, Webhook
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.foreign.webhook import Delivery, translation_steps
from engine.tracking.foreign.webhook_body import UnreadableBody, read_body
from engine.tracking.intake.payload import RejectedEvent, whole
from flows.mapping import read_mapping

EXACT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def webhook(*mappings: dict[str, Any]) -> Webhook:
    read = [read_mapping(mapping, REQUEST_ROOTS, ("event",))[0] for mapping in mappings]
    return Webhook(name="hook", source="shop", reading=ListedEvents(tuple([one for one in read if one is not None])))


def delivery(body: Any, *mappings: dict[str, Any], **more: Any) -> Delivery:
    request = ForeignRequest(path="/webhook/collect/hook", body=msgspec.json.encode(body), headers=JSON)
    return Delivery(webhook=webhook(*mappings), request=request, now=0, settings=Settings(), **more)


JSON = {b"content-type": b"application/json"}
PLAIN = {"type": "seen"}
NAMED = {"type": "seen", "id": "{{ body.id }}"}


def reason_of(media_type: str, body: bytes) -> str | None:
    """Why a body cannot be read; None if it can be."""
    try:
        read_body(media_type, body)
    except UnreadableBody as unreadable:
        return unreadable.reason
    return None


def ids_of(given: Delivery) -> list[str | None]:
    events = whole(translation_steps(given)).events
    return [event.id for event in events if isinstance(event, ForeignEvent)]


@pytest.mark.parametrize(
    ("mappings", "more", "ids"),
    [
        pytest.param((PLAIN, PLAIN), {}, [None, None], id="nothing names the delivery"),
        pytest.param((NAMED, PLAIN), {}, ["e-1", None], id="a mapping does"),
        pytest.param((PLAIN, NAMED), {"id": "d-1"}, ["hook:d-1:0", "e-1"], id="the sender does"),
        pytest.param((NAMED, NAMED, NAMED), {"id": "d-1"}, ["e-1", "e-1:1", "e-1:2"], id="one id of several mappings"),
        pytest.param(
            (NAMED, PLAIN),
            {"id": "t-1", "named_by_events": False},
            ["hook:t-1:0", "hook:t-1:1"],
            id="a token does alone",
        ),
    ],
)
def test_the_id_of_an_event_is_that_of_its_mapping_or_of_the_delivery(
    mappings: tuple[dict[str, Any], ...], more: dict[str, Any], ids: list[str | None]
) -> None:
    assert ids_of(delivery({"id": "e-1"}, *mappings, **more)) == ids


def test_the_number_in_an_id_is_that_of_the_mapping_whatever_the_others_make() -> None:
    conditional = {"type": "first", "when": "body.first"}
    assert ids_of(delivery({"first": False}, conditional, PLAIN, id="d-1")) == ["hook:d-1:1"]


@given(EXACT, EXACT)
def test_content_ids_are_equal_for_equal_bodies_and_for_no_others(one: Any, other: Any) -> None:
    first, second = [
        ids_of(delivery(body, PLAIN, {"type": "seen", "properties": {"now": "{{ now }}"}}, content_ids=True))
        for body in (one, other)
    ]
    assert len(set(first)) == 2
    assert first == ids_of(structs.replace(delivery(one, PLAIN, PLAIN, content_ids=True), now=1))
    assert (first == second) == (msgspec.json.encode(one) == msgspec.json.encode(other))


@given(EXACT)
def test_json_is_read_as_it_is(value: Any) -> None:
    assert read_body("application/json", msgspec.json.encode(value)).value == value


@given(
    st.binary(),
    st.sampled_from(
        ["application/json", "multipart/form-data; boundary=x", "text/plain", "a", "text/xml;charset=utf8"]
    ),
)
def test_any_bytes_are_read_or_refused_with_a_reason(body: bytes, media_type: str) -> None:
    assert reason_of(media_type, body) != ""


@given(st.binary(), EXACT)
def test_whatever_comes_is_an_event_or_rejected(body: bytes, value: Any) -> None:
    for content in (body, msgspec.json.encode(value)):
        given = delivery(None, {"type": "{{ body.type }}", "properties": "{{ body }}"})
        given = structs.replace(given, request=structs.replace(given.request, body=content))
        [event] = whole(translation_steps(given)).events
        assert isinstance(event, ForeignEvent | RejectedEvent)
