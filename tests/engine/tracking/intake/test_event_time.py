"""The client's time of an event: which forms are read, and the form in which it is stored."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.written_time import written_time
from engine.tracking.intake.event_time import read_event_time

NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z
MIDNIGHT = NOON - 12 * 3_600_000
DECEMBER = 253_402_300_799_999  # the last millisecond of the year 9999

READ = [
    ("2024-05-01T12:00:00Z", NOON),
    ("2024-05-01t12:00:00z", NOON),
    (" 2024-05-01 12:00 ", NOON),
    ("2024-05-01T12:00:00.000Z", NOON),
    ("2024-05-01T12:00:00.123456789Z", NOON + 123),
    ("2024-05-01T12:00:00,5Z", NOON + 500),
    ("2024-05-01T14:00:00+02:00", NOON),
    ("2024-05-01T17:30:00+0530", NOON),
    ("2024-05-01T07:00:00-05", NOON),
    ("2024-05-01", MIDNIGHT),
    ("20240501", MIDNIGHT),
    ("20240501T120000Z", NOON),
    (NOON // 1000, NOON),
    (NOON / 1000 + 0.25, NOON + 250),
    (NOON, NOON),
    (NOON + 0.75, NOON),
    ("1714564800", NOON),
    ("1714564800.5", NOON + 500),
    ("1714564800000", NOON),
    (0, 0),
    (-1, -1000),
    (99_999_999_999, 99_999_999_999_000),
    (100_000_000_000, 100_000_000_000),
    (DECEMBER, DECEMBER),
]
NO_TIMES = [
    *(True, False, [], {}, [NOON], {"iso": "2024-05-01"}),
    *("", " ", "yesterday", "true", "2024", "2024-05", "12:00", "01/05/2024", "2024-13-01", "2024-02-30"),
    *("Wed, 01 May 2024 12:00:00 GMT", "2024-05-01T12:00:00Z" + "0" * 60, "2024-05-01T12:00:00+25:00", "12345"),
    *(DECEMBER + 1, NOON * 1000, NOON * 1_000_000, 10**300, -(10**300), 1e300, "0001-01-01T00:00:00+14:00"),
]


@pytest.mark.parametrize(("sent", "moment"), READ, ids=repr)
def test_a_time_is_read_from_iso_text_and_from_seconds_and_milliseconds(sent: Any, moment: int) -> None:
    assert read_event_time(sent) == moment


@pytest.mark.parametrize("sent", NO_TIMES, ids=repr)
def test_anything_else_is_no_time(sent: Any) -> None:
    assert read_event_time(sent) is None


def test_text_without_an_offset_is_in_the_given_zone() -> None:
    zone = timezone(timedelta(hours=2))
    assert read_event_time("2024-05-01T14:00:00", zone) == NOON
    assert read_event_time("2024-05-01T14:00:00Z", zone) == NOON + 2 * 3_600_000


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_stored_form_of_a_time_is_read_as_the_same_time(moment: datetime) -> None:
    read = read_event_time(moment.isoformat())
    assert read is not None
    assert read_event_time(written_time(read)) == read


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
def test_any_value_is_either_a_time_that_can_be_written_or_none(value: Any) -> None:
    read = read_event_time(value)
    assert read is None or len(written_time(read)) == len("2024-05-01T12:00:00.000Z")
