"""The form in which the times of clients are stored, and its order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.written_time import FIRST, LAST, read_written_time, written_time

NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z
MOMENTS = st.integers(FIRST, LAST)


@pytest.mark.parametrize(("moment", "text"), [
    (NOON + 5, "2024-05-01T12:00:00.005Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
    (FIRST, "0001-01-01T00:00:00.000Z"),
    (LAST, "9999-12-31T23:59:59.999Z"),
])  # fmt: skip
def test_a_time_is_stored_in_one_form(moment: int, text: str) -> None:
    assert (written_time(moment), read_written_time(text)) == (text, moment)


@pytest.mark.parametrize("value", [
    *(None, NOON, True, [], {}, "", "2024", "2024-05-01", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00.005+00:00"),
    *("2024-02-30T12:00:00.000Z", "0000-01-01T00:00:00.000Z", "2024-05-01T12:00:00.000Z\n", "٢٠٢٤-05-01T12:00:00.000Z"),
])  # fmt: skip
def test_nothing_else_is_read(value: Any) -> None:
    assert read_written_time(value) is None


@given(MOMENTS, MOMENTS)
def test_the_texts_have_the_order_of_the_times(one: int, other: int) -> None:
    assert (written_time(one) < written_time(other)) == (one < other)
    assert read_written_time(written_time(one)) == one
