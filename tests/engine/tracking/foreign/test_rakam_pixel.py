"""Rakam's pixel: an event in the fields of a query."""

from typing import Any

import pytest

from engine.tracking.foreign.rakam import translated
from engine.tracking.foreign.rakam_pixel import GIF
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.intake.payload import Refusal

FIELDS = {"api.api_key": ["WK"], "collection": ["Open"]}


def pixel(fields: dict[str, list[str]], **rest: Any) -> ForeignEvent:
    translation = translated(ForeignRequest(path="/event/pixel", query={**FIELDS, **fields}, method="GET", **rest))
    (event,) = translation.events
    assert isinstance(event, ForeignEvent)
    assert translation.keys == ("WK",)
    return event


def test_the_fields_of_a_query_are_properties_and_their_values_are_text() -> None:
    event = pixel({"prop.mail": ["1"], "prop.userAgent": ["a", "b"], "prop._user": ["u1"], "other": ["x"]})
    assert (event.type, event.user, event.properties) == ("open", "u1", {"mail": "1", "user_agent": "a"})


def test_a_time_in_milliseconds_is_a_number_that_the_upload_time_corrects() -> None:
    event = pixel({"prop._time": ["1480457838042"], "api.upload_time": ["1480457839000"]})
    assert (event.time, event.sent, event.skewed) == (1_480_457_838_042, "1480457839000", True)


def test_the_server_fills_in_what_a_pixel_asks_for() -> None:
    asked = {"prop._ip": ["true"], "prop._user_agent": ["true"]}
    event = pixel(asked, address="203.0.113.7", headers={b"user-agent": b"Mail"})
    assert (event.properties, event.context) == ({}, {"ip": "203.0.113.7", "user_agent": "Mail"})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"collection": []}, "collection parameter must be a string"),
        ({"api.api_key": []}, "api.api_key is required"),
        ({"prop._time": ["soon"]}, "`_time`"),
        ({"prop.имя": ["x"]}, "имя"),
    ],
)
def test_a_query_that_is_no_event_is_refused(fields: dict[str, list[str]], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        pixel(fields)
    assert refused.value.kind == "malformed"


def test_the_image_is_one_transparent_pixel() -> None:
    assert GIF[:6] == b"GIF89a"
    width, height, trailer = GIF[6:8], GIF[8:10], GIF[-1:]
    assert (width, height, trailer) == (b"\1\0", b"\1\0", b";")
