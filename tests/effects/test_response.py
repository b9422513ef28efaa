from typing import Any

import pytest

from effects.http_request import RequestRefused
from effects.response import MAX_DEPTH, decode_text, parse_value, retry_after_ms

JSON = "application/json"


@pytest.mark.parametrize(
    ("text", "media_type", "value"),
    [
        pytest.param('{"a": [1, 2.5, null]}', JSON, {"a": [1, 2.5, None]}, id="JSON"),
        pytest.param("3", JSON, 3, id="a number with the media type of JSON"),
        pytest.param("3", "text/plain", "3", id="a number with a media type of text"),
        pytest.param('{"a": 1}', "application/problem+json", {"a": 1}, id="a media type that ends in +json"),
        pytest.param(' {"a": 1}', "text/plain", {"a": 1}, id="JSON with a media type of text"),
        pytest.param("[1]", "application/octet-stream", [1], id="JSON with an unspecific media type"),
        pytest.param("<p>hello</p>", "text/html", "<p>hello</p>", id="text"),
        pytest.param("", JSON, None, id="empty"),
        pytest.param('{"a": ', JSON, '{"a": ', id="JSON that is cut off"),
        pytest.param('{"a": NaN}', JSON, '{"a": NaN}', id="NaN"),
        pytest.param("[1e999]", JSON, "[1e999]", id="infinity"),
        pytest.param(f"[{10**1000 - 1}]", JSON, [10**1000 - 1], id="the largest integer"),
        pytest.param(f"[{10**1000}]", JSON, f"[{10**1000}]", id="an integer of more than 1,000 digits"),
        pytest.param(r'{"a": "x \ud83d", "b": "\ud83d\ude00"}', JSON, {"a": "x \ufffd", "b": "😀"}, id="half an emoji"),
        pytest.param('{"a":1}{"b":2}', JSON, '{"a":1}{"b":2}', id="two documents"),
    ],
)
def test_an_answer_is_json_or_text(text: str, media_type: str, value: Any) -> None:
    assert parse_value(text, media_type) == value


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 100_000], ids=str)
def test_json_that_is_nested_too_deep_stays_text(depth: int) -> None:
    text = "[" * depth + "]" * depth
    assert isinstance(parse_value(text, JSON), list) == (depth <= MAX_DEPTH)


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        (b"caf\xc3\xa9", None, "café"),
        (b"caf\xe9", "latin-1", "café"),
        (b"caf\xe9", None, "caf\ufffd"),
        (b"caf\xc3\xa9", "no-such-charset", "café"),
        (b"caf\xc3\xa9", "base64", "café"),
        ("café".encode("utf-16"), "UTF-16", "café"),
        (b"caf\xe9\x80", "windows-1252", "café€"),
        (b"\x00\xd8a\x00", "utf-16le", "\ufffda"),
        (b"\\ud800", "raw_unicode_escape", "\\ud800"),
    ],
    ids=[
        "no charset given",
        "another charset",
        "bytes that do not fit",
        "an unknown charset",
        "a codec that is no charset",
        "UTF-16",
        "a Windows charset",
        "half a surrogate pair",
        "escapes",
    ],
)
def test_a_body_is_decoded_by_its_charset(body: bytes, charset: str | None, text: str) -> None:
    assert decode_text(body, charset) == text


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-7", "shift_jis", "no-such-charset", "\x00"])
def test_bytes_of_an_unsupported_charset_are_refused_unless_they_are_utf_8(charset: str) -> None:
    with pytest.raises(RequestRefused):
        decode_text(b"caf\xe9", charset)
    assert decode_text(b"cafe", charset) == "cafe"


@pytest.mark.parametrize(("header", "pause"), [
    ("0", 0), ("120", 120_000), (" 3 ", 3_000), ("9" * 5_000, 31_536_000_000), ("-5", 0), ("1.5", 0), ("", 0),
    ("Wed, 01 May 2024 12:00:10 GMT", 10_000), ("Wed, 01 May 2024 11:59:00 GMT", 0), (None, 0),
    ("Wed, 99 May 2024 12:00:10 GMT", 0),
    ("Wed, 01 May 2024 12:00:10 -0000", 10_000), ("Fri, 31 Dec 9999 23:59:59 GMT", 31_536_000_000), ("\u0663", 0),
])  # fmt: skip
def test_a_target_asks_for_a_pause_in_seconds_or_by_a_date(header: str | None, pause: int) -> None:
    assert retry_after_ms(header, 1_714_564_800_000) == pause
