from typing import Any

import pytest

from effects.answer import DEEPEST, text_of, value_of

JSON = "application/json"


@pytest.mark.parametrize(
    ("text", "media_type", "value"),
    [
        pytest.param('{"a": [1, 2.5, null]}', JSON, {"a": [1, 2.5, None]}, id="JSON"),
        pytest.param("3", JSON, 3, id="a lone number that is called JSON"),
        pytest.param("3", "text/plain", "3", id="a lone number that is called text"),
        pytest.param('{"a": 1}', "application/problem+json", {"a": 1}, id="a dialect of JSON"),
        pytest.param(' {"a": 1}', "text/plain", {"a": 1}, id="JSON that is called text"),
        pytest.param("[1]", "application/octet-stream", [1], id="JSON that is called nothing"),
        pytest.param("<p>hello</p>", "text/html", "<p>hello</p>", id="text"),
        pytest.param("", JSON, None, id="empty"),
        pytest.param('{"a": ', JSON, '{"a": ', id="JSON that breaks off"),
        pytest.param('{"a": NaN}', JSON, '{"a": NaN}', id="NaN"),
        pytest.param("[1e999]", JSON, "[1e999]", id="infinity"),
        pytest.param("[18446744073709551615]", JSON, [2**64 - 1], id="the largest integer"),
        pytest.param("[18446744073709551616]", JSON, "[18446744073709551616]", id="an integer beyond 64 bits"),
        pytest.param('{"a":1}{"b":2}', JSON, '{"a":1}{"b":2}', id="two documents"),
    ],
)
def test_an_answer_is_json_or_text(text: str, media_type: str, value: Any) -> None:
    assert value_of(text, media_type) == value


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1, 100_000], ids=str)
def test_what_is_nested_too_deep_stays_text(depth: int) -> None:
    text = "[" * depth + "]" * depth
    assert isinstance(value_of(text, JSON), list) == (depth <= DEEPEST)


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        (b"caf\xc3\xa9", None, "café"),
        (b"caf\xe9", "latin-1", "café"),
        (b"caf\xe9", None, "caf\ufffd"),
        (b"caf\xc3\xa9", "no-such-charset", "café"),
        (b"caf\xc3\xa9", "base64", "café"),
    ],
    ids=["nothing said", "another charset", "bytes that do not fit", "an unknown charset", "no charset at all"],
)
def test_bytes_become_text(body: bytes, charset: str | None, text: str) -> None:
    assert text_of(body, charset) == text
