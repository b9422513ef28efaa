"""Placeholders: what programs send when they have no value identifies no person, in any spelling."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.placeholder import is_placeholder, length_reason, placeholder_reason

PLACEHOLDERS = {
    "nulls of languages": [
        "null",
        "None",
        "nil",
        "undefined",
        "NaN",
        "(null)",
        "<nil>",
        "ｎull",
        "null\u200b",
        "nullptr",
    ],
    "texts for no value": ["(not set)", "not_set", "(none)", "n/a", "#N/A", "NA", "unknown", "(unknown)", "empty", ""],
    "names for nobody": [
        "anonymous",
        "anon",
        "Guest",
        "guest user",
        "anonymous_user",
        "nobody",
        "no one",
        "no user",
        "not_authenticated",
    ],
    "numbers": ["0", "00", "0.0", "+0", "-1", "-1.0", "Infinity"],
    "other types": ["true", "False", "[]", "{}", "()", "[object Object]", "<user object at 0x7f3a>"],
    "punctuation": ["-", "--", "...", "?", "***", "—"],
    "names of ids": ["user_id", "userId", "USER-ID", "your_user_id", "distinct_id", "$device_id", ":id", "email"],
    "joined nulls": ["null@null", "none@none.com", "undefined@shop.example", "nullnull", "null null", "user-undefined"],
    "quoted": ['"null"', "'undefined'", "`nil`", '" "', " none "],
    "ids of one digit": [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "11111111-1111-1111-1111-111111111111",
        "00000000-0000-4000-8000-000000000000",
        "000000000000000",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
    ],
    "ids that many devices share": ["9774d56d682e549c", "02:00:00:00:00:00", "lmy47d"],
    "templates": [
        "{{user_id}}",
        "{{ user.id }}",
        "{{{id}}}",
        "u-{{id}}",
        "${userId}",
        "$(id)",
        "#{id}",
        "@{id}",
        "%%ID%%",
        "%ID%",
        "%s",
        "%1$s",
        "[user_id]",
        "[[id]]",
        "<user_id>",
        "<<id>>",
        "<%= id %>",
        "{% id %}",
        "{user_id}",
        "{user.id|none}",
        "{!Contact.Id}",
        "{0}",
        "__UID__",
        "$id$",
        "*|EMAIL|*",
        "%7B%7Buser_id%7D%7D",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PLACEHOLDERS.items() for text in texts])
def test_what_programs_send_without_a_value_is_a_placeholder(kind: str, text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "10",
        "1",
        "-10",
        "100",
        "1111",
        "fff",
        "ann",
        "0198f2c0",
        "nullify",
        "Nilsson",
        "user-0",
        "guest-17",
        "visitor",
        "true-1",
        "null@firma.example",
        "nil@mail.example",
        "guest@hotel.example",
        "<ann@example.com>",
        "+4930901820;ext=12",
        "3f0c2a1e-7a52-4d43-9d53-0c1f4d0f3b11",
        "{3F0C2A1E-7A52-4D43-9D53-0C1F4D0F3B11}",
        "00000000-0000-0000-0000-000000000001",
        "$device:3f0c2a1e",
        "a/b",
        "a%2Fb",
        "50%",
        "a{b}c",
        "[::1]",
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
        "🎉",
        "名前",
    ],
)
def test_other_texts_may_identify_somebody(text: str) -> None:
    assert not is_placeholder(text)


_LOOKS = (str.upper, str.title, "  {}\t".format, "'{}'".format)


@given(st.sampled_from([text for texts in PLACEHOLDERS.values() for text in texts]), st.sampled_from(_LOOKS))
def test_case_white_space_and_quotes_make_no_difference(text: str, look: Callable[[str], str]) -> None:
    assert is_placeholder(look(text))


_SHAPES = ("{0}-{1}-{2}-{3}-{4}", "{0}{1}{2}{3}{4}", "{{{0}-{1}-{2}-{3}-{4}}}", "({0}-{1}-{2}-{3}-{4})")


@given(
    st.sampled_from("0123456789abcdef"),
    st.sampled_from([*_SHAPES, "urn:uuid:{0}-{1}-{2}-{3}-{4}", "{{{0}{1}{2}{3}{4}}}"]),
    st.booleans(),
)
def test_a_uuid_of_one_digit_is_a_placeholder_in_every_spelling(digit: str, shape: str, upper: bool) -> None:
    text = shape.format(digit * 8, digit * 4, digit * 4, digit * 4, digit * 12)
    assert is_placeholder(text.upper() if upper else text)


@given(
    st.one_of(
        st.uuids(version=4).map(str),
        st.uuids(version=4).map(lambda uuid: uuid.hex.upper()),
        st.uuids(version=4).map("{{{}}}".format),
        st.integers(1, 10**11 - 1).map(str),
        st.integers(1, 9999).map("customer-{}".format),
        st.from_regex(r"[a-z]{3,8}\.[a-z]{4,9}[0-9]{1,3}@[a-z]{5,9}\.example", fullmatch=True),
    )
)
def test_ordinary_ids_are_no_placeholders(text: str) -> None:
    assert not is_placeholder(text)


@given(st.text(max_size=250))
def test_every_text_either_identifies_or_has_a_reason(text: str) -> None:
    reason = placeholder_reason(text)
    assert bool(reason) == (len(text) > 200 or is_placeholder(text))


@pytest.mark.parametrize("text", ["Kiosk", " kiosk\n", "KIOSK"])
def test_a_project_adds_values_of_its_own_in_any_case(text: str) -> None:
    assert "merging.never" in placeholder_reason(text, frozenset({"kiosk"}))
    assert not placeholder_reason(text)


def test_a_text_of_as_many_characters_as_a_key_may_have_is_not_too_long() -> None:
    assert (length_reason("x" * 200), length_reason("x" * 201)) == ("", "is longer than 200 characters")
