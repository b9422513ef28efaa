"""The texts by which Elasticsearch compares numbers of free values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.elasticsearch.numbers import LEAST, MOST, numbers_of, ordered_text

numbers = st.integers(-(10**400), 10**400) | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, numbers)
def test_texts_are_ordered_as_their_numbers(one: float, other: float) -> None:
    assert (one < other) <= (ordered_text(one) <= ordered_text(other))
    assert (ordered_text(one) < ordered_text(other)) <= (one < other)


@given(numbers)
def test_a_text_is_between_the_bounds_of_an_open_range(number: float) -> None:
    text = ordered_text(number)
    assert len(text) == 16
    assert LEAST <= text <= MOST


def test_equal_numbers_have_one_text() -> None:
    assert len({ordered_text(number) for number in (0, 0.0, -0.0)}) == 1
    assert ordered_text(12) == ordered_text(12.0)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": 1, "b": "x", "c": True, "d": None}, {"a": ordered_text(1)}),
        ({"a": {"b": [1, "x", [2.5]]}}, {"a": {"b": [ordered_text(1), [ordered_text(2.5)]]}}),
        ({"a": {"b": "x"}, "c": []}, None),
        ({}, None),
        ("12", None),
    ],
)
def test_numbers_are_kept_at_their_places(value: Any, found: Any) -> None:
    assert numbers_of(value) == found
