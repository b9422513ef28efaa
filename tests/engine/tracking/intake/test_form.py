"""Forms, whatever bytes come: they become fields, or are refused with a reason."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tracking.intake.form import MULTIPART, URL_ENCODED, BadForm, form_fields, is_form

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PIECES = (b"--b", b"--b--", b"\r\n", b"\n", b"Content-Disposition: form-data", b'; name="x"', b'; filename="f"', b":")
BODIES = st.binary(max_size=200) | st.lists(st.sampled_from(PIECES) | st.binary(max_size=5)).map(b"".join)
TYPES = st.sampled_from(
    [URL_ENCODED, f"{MULTIPART}; boundary=b", f'{MULTIPART}; boundary="', MULTIPART, f"{MULTIPART}; boundary=\xfc"]
)


@given(TYPES, BODIES)
def test_any_bytes_become_plain_data_or_are_refused(content_type: str, body: bytes) -> None:
    with suppress(BadForm):
        msgspec.json.encode(form_fields(content_type, body))


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=20))
def test_fields_come_back_as_they_were_encoded(fields: list[tuple[str, str]]) -> None:
    expected: dict[str, list[str]] = {}
    for name, value in fields:
        expected.setdefault(name, []).append(value)
    found = form_fields(URL_ENCODED, urlencode(fields).encode())
    assert found == {name: values[0] if len(values) == 1 else values for name, values in expected.items()}


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("Application/X-WWW-Form-URLEncoded; charset=utf-8", b"a=1", True),
        ("application/x-www-form-urlencoded", b' {"a": 1}', False),
        ("application/x-www-form-urlencoded", b"[1]", False),
        ("application/x-www-form-urlencoded", b"", False),
        ("multipart/form-data; boundary=b", b"", True),
        ("application/json", b"a=1", False),
        ("", b"a=1", False),
    ],
)
def test_a_form_is_told_from_json_by_its_media_type_and_how_it_begins(
    content_type: str, body: bytes, expected: Any
) -> None:
    assert is_form(content_type, body) is expected
