"""Counts over time, against a list of all that was ever counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.buckets import (
    DAY_MS,
    GRAINS,
    HOUR_MS,
    MINUTE_MS,
    begins,
    check_window,
    compacted,
    counted,
    grain_of,
    key,
    next_change,
)

NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z

windows = st.sampled_from(
    [MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 400 * DAY_MS]
)
gaps = st.one_of(st.integers(0, 3 * MINUTE_MS), st.integers(0, 5 * HOUR_MS), st.integers(0, 60 * DAY_MS))
histories = st.lists(st.tuples(gaps, st.sampled_from([1, 2, -1, 0.5])), max_size=25)


def played(history):
    """The moments and amounts of a history; and the buckets that come of it, compacted together each time."""
    now, events, buckets = NOON, [], {}
    for gap, amount in history:
        now += gap
        events.append((now, amount))
        buckets = compacted({**buckets, key(now): buckets.get(key(now), 0) + amount})
    return now, events, buckets


def in_window(events, window, now):
    """What was counted since the beginning of the bucket in which the window begins."""
    width = grain_of(window).width
    return sum(amount for at, amount in events if at // width >= (now - window) // width)


@pytest.mark.parametrize(("moment", "grain", "name"), [
    pytest.param(NOON + 61_000, 0, "2024-05-01T12:01", id="minute"),
    pytest.param(NOON + 61_000, 1, "2024-05-01T12", id="hour"),
    pytest.param(NOON + 61_000, 2, "2024-05-01", id="day"),
    pytest.param(0, 0, "1970-01-01T00:00", id="the beginning"),
    pytest.param(-1, 0, "1969-12-31T23:59", id="before the beginning"),
])  # fmt: skip
def test_a_bucket_is_named_by_the_beginning_of_its_time(moment, grain, name):
    assert key(moment, GRAINS[grain]) == name
    assert begins(name) <= moment < begins(name) + GRAINS[grain].width


@given(histories, windows, gaps)
def test_a_window_counts_what_lies_in_it_whatever_has_grown_together(history, window, later):
    now, events, buckets = played(history)
    now += later
    assert counted(buckets, window, now) == in_window(events, window, now)


@given(histories, windows, gaps)
def test_all_of_the_window_counts_and_at_most_one_bucket_more(history, window, later):
    now, events, buckets = played([(gap, 1) for gap, _ in history])
    now += later
    width = grain_of(window).width
    least = sum(amount for at, amount in events if at > now - window)
    most = sum(amount for at, amount in events if at > now - window - width)
    assert least <= counted(buckets, window, now) <= most


@given(histories, histories, windows)
def test_counters_add_up_whenever_each_has_grown_together(one, other, window):
    first, these, left = played(one)
    second, those, right = played(other)
    now = max(first, second)
    both = {name: left.get(name, 0) + right.get(name, 0) for name in {*left, *right}}
    assert counted(both, window, now) == in_window([*these, *those], window, now)
    assert not both or counted(compacted(both), window, now) == counted(both, window, now)


@given(histories)
def test_growing_together_again_changes_nothing(history):
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
    assert all(begins(name) > now - GRAINS[2].kept - 2 * DAY_MS for name in buckets)


@pytest.mark.parametrize("window", [0, MINUTE_MS - 1, 400 * DAY_MS + 1])
def test_a_window_has_a_length_that_counters_reach(window):
    with pytest.raises(ValueError, match="from 1m to 400d"):
        check_window(window)
