"""Due times: those of a crontab in a zone, where a skipped time comes at the end of the gap and a double one once."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effects.due_times import SystemDueTimes
from engine.flow.cron import read_cron
from engine.flow.schedule import Schedule
from engine.language.zone import find_zone, local_time, moment_of

ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca")
CRONS = ("0 6 * * *", "30 2 * * *", "*/20 * * * *", "15 0 1 * mon", "0 0 29 2 *", "0 12 * * fri-sun", "5 1-3 * * *")


def cron(text: str) -> Schedule:
    return Schedule(cron=text, fields=read_cron(text))


def due_from(start: str, schedule: Schedule, zone: str, count: int) -> list[str]:
    """The local times, with their offsets, of the due times after a local time."""
    found = find_zone(zone)
    assert found is not None
    time, due = moment_of(datetime.fromisoformat(start).replace(tzinfo=found)), []
    for _ in range(count):
        time = SystemDueTimes().after(schedule, time, zone)
        due.append(local_time(time, found).isoformat()[:-3])
    return due


@pytest.mark.parametrize(
    ("text", "zone", "start", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00",
            ["2026-03-29T03:00:00+02", "2026-03-30T02:30:00+02"],
            id="a skipped time comes at the end of the gap",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T01:00",
            ["2026-03-29T01:30:00+01", "2026-03-29T03:00:00+02", "2026-03-29T03:30:00+02"],
            id="several skipped times come once",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            ["2026-10-25T02:30:00+02", "2026-10-26T02:30:00+01"],
            id="a time that comes twice is due the first time",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T02:00",
            ["2026-10-25T02:30:00+02", "2026-10-25T03:00:00+01"],
            id="the second hour of a double one has no due times",
        ),
        pytest.param(
            "0 0 * * *",
            "America/Santiago",
            "2026-09-05T12:00",
            ["2026-09-06T01:00:00-03", "2026-09-07T00:00:00-03"],
            id="a day without a midnight",
        ),
        pytest.param(
            "0 0 1 * mon",
            "UTC",
            "2026-01-20T12:00",
            ["2026-01-26T00:00:00+00", "2026-02-01T00:00:00+00", "2026-02-02T00:00:00+00"],
            id="one of two restricted days is enough",
        ),
        pytest.param("0 6 * * 0", "UTC", "2026-01-01T12:00", ["2026-01-04T06:00:00+00"], id="0 is Sunday"),
        pytest.param("0 6 * * 7", "UTC", "2026-01-01T12:00", ["2026-01-04T06:00:00+00"], id="7 is Sunday, too"),
        pytest.param("0 6 * * 1", "UTC", "2026-01-01T12:00", ["2026-01-05T06:00:00+00"], id="1 is Monday"),
        pytest.param("0 6 29 2 *", "UTC", "2026-01-01T12:00", ["2028-02-29T06:00:00+00"], id="a leap day"),
    ],
)
def test_due_times_are_those_of_a_crontab_in_its_zone(text: str, zone: str, start: str, expected: list[str]) -> None:
    assert due_from(start, cron(text), zone, len(expected)) == expected


def test_the_zone_of_the_schedule_counts_before_that_of_the_project() -> None:
    schedule = Schedule(cron="0 6 * * *", fields=read_cron("0 6 * * *"), timezone="Asia/Tokyo")
    assert due_from("2026-01-01T12:00", schedule, "UTC", 1) == ["2026-01-01T21:00:00+00"]


def test_spans_are_counted_from_1970_so_a_quarter_of_an_hour_is_one_on_the_clock() -> None:
    expected = ["2026-01-01T12:15:00+00", "2026-01-01T12:30:00+00"]
    assert due_from("2026-01-01T12:07", Schedule(every_ms=900_000), "UTC", 2) == expected


@given(
    st.sampled_from(CRONS), st.sampled_from(ZONES), st.integers(1_700_000_000_000, 1_900_000_000_000), st.integers(1, 9)
)
def test_a_due_time_is_the_first_after_any_time_before_it(text: str, zone: str, time: int, parts: int) -> None:
    """Asking again from any moment in between finds the same due time: none is skipped, none is invented."""
    due = SystemDueTimes().after(cron(text), time, zone)
    assert due > time
    assert SystemDueTimes().after(cron(text), time + (due - time) * parts // 10, zone) == due
    assert SystemDueTimes().after(cron(text), due, zone) > due
