"""Time zones: local days, weeks and years, and when they change, with the clock changes of real places."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.moment import compile_format, format_date
from engine.language.zone import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    START_UNITS,
    find_zone,
    local_time,
    moment_of,
    next_change,
    start_of,
    start_of_next,
)

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"),
    *("America/Havana", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "Africa/Casablanca", "America/Toronto"),
)
zones = st.sampled_from(ZONES)
moments = st.integers(moment_of(datetime.fromisoformat("1900-01-01T00:00Z")), 4_102_444_800_000)  # to 2100
widths = st.sampled_from([SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS])
FIELDS = {
    "minute": "%Y-%m-%dT%H:%M",
    "hour": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "week": "%G-W%V",
    "month": "%Y-%m",
    "year": "%Y",
}


def at(text: str) -> int:
    return moment_of(datetime.fromisoformat(text))


@given(zones, st.sampled_from(START_UNITS), moments)
def test_a_moment_is_between_the_start_of_its_unit_and_of_the_next(name, unit, moment):
    zone = find_zone(name)
    start, following = start_of(unit, moment, zone), start_of_next(unit, moment, zone)
    assert start <= moment < following
    assert start_of(unit, start, zone) == start
    if unit in FIELDS:
        texts = {format_date(each, compile_format(FIELDS[unit]), name) for each in (start, moment, following - 1)}
        assert len(texts) == 1
        assert unit == "hour" or format_date(start - 1, compile_format(FIELDS[unit]), name) not in texts


@given(zones, widths, moments, st.floats(0, 1, exclude_max=True))
def test_no_local_text_changes_before_the_next_change(name, width, moment, share):
    pattern = {SECOND_MS: "%S", MINUTE_MS: "%M", HOUR_MS: "%H %z", DAY_MS: "%Y-%m-%d %z"}[width]
    following = next_change(moment, width, find_zone(name))
    between = moment + int((following - moment) * share)
    assert moment < following <= moment + width
    assert format_date(between, compile_format(pattern), name) == format_date(moment, compile_format(pattern), name)


@pytest.mark.parametrize(("name", "unit", "moment", "start", "following"), [
    pytest.param("Europe/Berlin", "day", "2026-03-29T10:00+02:00", "2026-03-29T00:00+01:00",
                 "2026-03-30T00:00+02:00", id="a day of 23 hours"),
    pytest.param("Europe/Berlin", "day", "2026-10-25T10:00+01:00", "2026-10-25T00:00+02:00",
                 "2026-10-26T00:00+01:00", id="a day of 25 hours"),
    pytest.param("Europe/Berlin", "hour", "2026-10-25T02:30+01:00", "2026-10-25T02:00+01:00",
                 "2026-10-25T03:00+01:00", id="the second of two hours"),
    pytest.param("America/Sao_Paulo", "day", "2018-11-04T12:00-02:00", "2018-11-04T01:00-02:00",
                 "2018-11-05T00:00-02:00", id="a day without midnight"),
    pytest.param("America/Toronto", "day", "1919-03-31T00:35-04:00", "1919-03-31T00:30-04:00",
                 "1919-04-01T00:00-04:00", id="a midnight inside the hour that is skipped"),
    pytest.param("America/Havana", "day", "2026-11-01T12:00-05:00", "2026-11-01T00:00-04:00",
                 "2026-11-02T00:00-05:00", id="a day with two midnights"),
    pytest.param("Pacific/Apia", "week", "2011-12-31T12:00+14:00", "2011-12-26T00:00-10:00",
                 "2012-01-02T00:00+14:00", id="a week without a Friday"),
    pytest.param("Asia/Kathmandu", "quarter", "2026-05-05T12:00+05:45", "2026-04-01T00:00+05:45",
                 "2026-07-01T00:00+05:45", id="a quarter"),
    pytest.param("America/New_York", "year", "2026-12-31T23:59-05:00", "2026-01-01T00:00-05:00",
                 "2027-01-01T00:00-05:00", id="a year"),
])  # fmt: skip
def test_units_of_time_start_where_the_local_calendar_says(name, unit, moment, start, following):
    zone = find_zone(name)
    assert start_of(unit, at(moment), zone) == at(start)
    assert start_of_next(unit, at(moment), zone) == at(following)


@pytest.mark.parametrize(
    "name",
    [
        *("Europe/Atlantis", "", "../etc/passwd", "/etc/localtime", "Europe", "zone.tab", "europe berlin", "+02:00"),
        *("A" * 100, "Europe/Berlin\0", "Europe\\Berlin"),
    ],
)
def test_a_name_that_is_no_zone_is_not_found(name):
    assert find_zone(name) is None


def test_the_local_time_of_a_moment_has_the_offset_of_its_season():
    berlin = find_zone("Europe/Berlin")
    assert local_time(at("2026-01-01T00:00Z"), berlin).isoformat() == "2026-01-01T01:00:00+01:00"
    assert local_time(at("2026-07-01T00:00Z"), berlin).isoformat() == "2026-07-01T02:00:00+02:00"
