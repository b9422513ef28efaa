"""Counts over time, compared with a list of all counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.buckets import (
    DAY_MS,
    GRAINS,
    HOUR_MS,
    MINUTE_MS,
    check_window,
    compacted,
    counted,
    grain_of,
    key,
    next_change,
    start_of,
)

NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z

windows = st.sampled_from(
    [MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 400 * DAY_MS]
)
gaps = st.one_of(st.integers(0, 3 * MINUTE_MS), st.integers(0, 5 * HOUR_MS), st.integers(0, 60 * DAY_MS))
histories = st.lists(st.tuples(gaps, st.sampled_from([1, 2, -1, 0.5])), max_size=25)


def played(history):
    """Return the last time (ms), the (time, amount) of each count, and the buckets, compacted after each count."""
    now, events, buckets = NOON, [], {}
    for gap, amount in history:
        now += gap
        events.append((now, amount))
        buckets = compacted({**buckets, key(now): buckets.get(key(now), 0) + amount})
    return now, events, buckets


def in_window(events, window, now):
    """Return the sum since the start of the bucket in which the window starts."""
    width = grain_of(window).width
    return sum(amount for at, amount in events if at // width >= (now - window) // width)


@pytest.mark.parametrize(("moment", "grain", "name"), [
    pytest.param(NOON + 61_000, 0, "2024-05-01T12:01", id="minute"),
    pytest.param(NOON + 61_000, 1, "2024-05-01T12", id="hour"),
    pytest.param(NOON + 61_000, 2, "2024-05-01", id="day"),
    pytest.param(0, 0, "1970-01-01T00:00", id="the epoch"),
    pytest.param(-1, 0, "1969-12-31T23:59", id="before the epoch"),
])  # fmt: skip
def test_a_bucket_is_named_by_the_start_of_its_time(moment, grain, name):
    assert key(moment, GRAINS[grain]) == name
    assert start_of(name) <= moment < start_of(name) + GRAINS[grain].width


@given(histories, windows, gaps)
def test_a_window_has_the_same_count_after_buckets_were_compacted(history, window, later):
    now, events, buckets = played(history)
    now += later
    assert counted(buckets, window, now) == in_window(events, window, now)


@given(histories, windows, gaps)
def test_a_window_is_counted_completely_plus_at_most_one_bucket(history, window, later):
    now, events, buckets = played([(gap, 1) for gap, _ in history])
    now += later
    width = grain_of(window).width
    least = sum(amount for at, amount in events if at > now - window)
    most = sum(amount for at, amount in events if at > now - window - width)
    assert least <= counted(buckets, window, now) <= most


@given(histories, histories, windows)
def test_counters_add_up_whether_compacted_before_or_after(history, other_history, window):
    first, these, left = played(history)
    second, those, right = played(other_history)
    now = max(first, second)
    both = {name: left.get(name, 0) + right.get(name, 0) for name in {*left, *right}}
    assert counted(both, window, now) == in_window([*these, *those], window, now)
    assert not both or counted(compacted(both), window, now) == counted(both, window, now)


@given(histories)
def test_compacting_twice_changes_nothing(history):
    _, _, buckets = played(history)
    assert not buckets or compacted(buckets) == buckets


@given(histories, windows)
def test_the_next_change_is_when_the_oldest_bucket_leaves_the_window(history, window):
    now, _, buckets = played([(gap, 1) for gap, _ in history])
    following = next_change(buckets, window, now)
    before = counted(buckets, window, now)
    if following is None:
        assert before == 0
    else:
        assert following > now
        assert counted(buckets, window, following - 1) == before
        assert counted(buckets, window, following) < before


@given(histories)
def test_a_counter_keeps_a_bounded_number_of_buckets(history):
    now, _, buckets = played(history)
    assert len(buckets) <= sum(grain.kept // grain.width + 2 for grain in GRAINS)
    assert all(start_of(name) > now - GRAINS[2].kept - 2 * DAY_MS for name in buckets)


@pytest.mark.parametrize("window", [0, MINUTE_MS - 1, 400 * DAY_MS + 1])
def test_a_window_that_is_too_short_or_too_long_is_refused(window):
    with pytest.raises(ValueError, match="from 1m to 400d"):
        check_window(window)
