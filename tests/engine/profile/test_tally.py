"""Counters over time: after any merges and unmerges a window counts what all ids of the profile counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.buckets import DAY_MS, HOUR_MS, MINUTE_MS, counted, grain_of
from engine.profile.apply import apply_operations
from engine.profile.document import Part, Profile, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Count, Refused
from engine.profile.profile_view import profile_view
from engine.profile.tally import MAX_COUNTERS
from tests.engine.profile.histories import examples, joins
from tests.engine.profile.profiles import Profiles

IDS = "ABC"
NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z
WINDOWS = (MINUTE_MS, 2 * HOUR_MS, DAY_MS, 8 * DAY_MS, 90 * DAY_MS)

counts = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.one_of(st.integers(0, 2 * MINUTE_MS), st.integers(0, 2 * HOUR_MS), st.integers(0, 5 * DAY_MS)),
        st.sampled_from("nm"),
        st.sampled_from([1, 2, -1, 0.25]),
    ),
    max_size=8,
)


class Counting:
    """Profiles whose events are counted, and a list of all counts as the expectation."""

    def __init__(self):
        self.profiles = Profiles(IDS)
        self.clock = NOON
        self.done = []

    def play(self, history):
        for id, later, name, by in history:
            self.clock += later
            self.profiles.commit(id, [Count(name, by, self.clock)], self.clock)
            self.done.append((id, name, self.clock, by))

    def expected(self, id, name, window):
        together = self.profiles.of(id).parts
        width = grain_of(window).width
        first = (self.clock - window) // width
        return sum(by for who, what, at, by in self.done if who in together and what == name and at // width >= first)

    def check(self):
        for id in IDS:
            tallies = self.profiles.read(id).get("counters", {})
            for name in "nm":
                for window in WINDOWS:
                    assert counted(tallies.get(name, {}), window, self.clock) == self.expected(id, name, window)


@examples(150)
@given(counts, joins(IDS, 2), counts, joins(IDS, 1), counts)
def test_counts_of_merged_profiles_add_up_and_separate_again_when_they_are_unmerged(past, links, between, again, later):
    counting = Counting()
    counting.play(past)
    for left, right, cause in links:
        counting.profiles.merge(left, right, cause)
    counting.check()
    counting.play(between)
    counting.check()
    left, _, key = links[0]
    counting.profiles.unmerge(left, key)
    counting.check()
    for left, right, cause in again:
        counting.profiles.merge(left, right, cause)
    counting.play(later)
    counting.check()


def test_a_profile_shows_its_counters_by_the_time_of_their_buckets():
    profile, _ = apply_operations(new_profile("p", NOON), "p", [Count("n", 1, NOON), Count("n", 2, NOON + 1)], NOON)
    assert profile_view(profile, fold(profile))["counters"] == {"n": {"2024-05-01T12:00": 3}}


def test_a_profile_that_counts_nothing_has_no_counters():
    profile = new_profile("p", NOON)
    assert profile_view(profile, fold(profile))["counters"] == {}


@pytest.mark.parametrize("by", [True, "1", None, 10**300, 1e300, 1e-81, float("inf")])
def test_only_numbers_are_counted(by):
    with pytest.raises(Refused, match=r"counters\.n"):
        apply_operations(new_profile("p", NOON), "p", [Count("n", by, NOON)], NOON)


def test_the_number_of_counters_is_bounded():
    tallies = {f"n{i}": {"2024-05-01": 1} for i in range(MAX_COUNTERS)}
    profile = Profile("p", NOON, parts={"p": Part("p", NOON, tallies=tallies)})
    apply_operations(profile, "p", [Count("n0", 1, NOON)], NOON)
    with pytest.raises(Refused, match="at most"):
        apply_operations(profile, "p", [Count("one_more", 1, NOON)], NOON)
