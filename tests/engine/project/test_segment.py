"""Who belongs to segments, and when time alone changes that: against looking at every millisecond."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from engine.language.expression import compile_condition
from engine.problem import ProblemError
from engine.profile.apply import apply_operations
from engine.profile.document import Profile, Standing, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Count, Operation, Set, Unset
from engine.profile.profile_view import profile_view
from engine.profile.visits import record_visit
from engine.project.segment import Segment, SegmentRules
from tests.engine.profile.histories import examples

START = 1_714_564_800_000  # 2024-05-01T12:00:00Z
A = ("traits", "a")

conditions = st.sampled_from([
    "profile.traits.a > 2", "profile.traits.a > now - 1714564800000", "profile.traits.a <= now - 1714564800009",
    "profile.metadata.last_seen < now - 6", "profile.metadata.last_seen > now - 4 and profile.traits.a != 3",
    "profile.metadata.updated < now - 5", "changed_at('traits.a') < now - 7", "profile.metadata.visits > 2",
    "5 < now - profile.metadata.last_seen < 9", "(now - 1714564800000 - profile.traits.a) // 6 > 1",
    "(now - profile.metadata.last_seen) / 3 == 2", "not (profile.traits.a > now - 1714564800000)",
    "profile.traits.a | default(12) > now - 1714564800000 or profile.traits.a == 0", "profile.metadata.version > 4",
])  # fmt: skip
windows = st.sampled_from([(0, 0), (0, 0), (4, 0), (0, 5), (3, 6), (1, 1)])
rules = st.lists(st.tuples(conditions, windows), min_size=1, max_size=3)
changes = st.one_of(
    st.builds(Set, st.just(A), st.integers(0, 30)),
    st.just(Unset(A)),
    st.builds(Count, st.just("n"), st.just(1), st.just(START)),
)
steps = st.lists(st.tuples(st.integers(0, 9), st.lists(changes, max_size=2), st.booleans()), min_size=1, max_size=8)


def segments_of(given_rules: list[tuple[str, tuple[int, int]]]) -> SegmentRules:
    return SegmentRules(
        Segment(name=f"s{i}", condition=compile_condition(text), for_ms=held, within_ms=within)
        for i, (text, (held, within)) in enumerate(given_rules)
    )


class Life:
    """A profile, what is done to it, and the documents that were stored at each time."""

    def __init__(self, segments: SegmentRules) -> None:
        self.segments = segments
        self.profile = new_profile("p", START)
        self.clock = START
        self.stored: list[tuple[int, Profile]] = []

    def unit(self, operations: list[Operation], *, meets: bool, new: bool = False) -> None:
        """What a unit does at the clock's time."""
        at = max(self.clock, self.profile.evaluated_at)
        profile = self.segments.with_time_passed(self.profile, profile_view(self.profile, fold(self.profile)), at)
        profile = record_visit(profile, "p", self.clock, new) if meets else profile
        profile, _ = apply_operations(profile, "p", operations, self.clock)
        self.profile = self.segments.with_membership(profile, profile_view(profile, fold(profile)), at)
        self.stored.append((self.clock, self.profile))

    def at(self, moment: int) -> Profile | None:
        """What was stored at a time, once all that was done then was done."""
        return next((profile for at, profile in reversed(self.stored) if at <= moment), None)


def by_definition(life: Life, end: int) -> list[tuple[str, ...]]:
    """The segments at every ms from the start to `end`, by what they are said to be, with no memory."""
    times = range(START, end)
    belongs: dict[str, list[bool]] = {}
    for name, condition, segment in life.segments.rules:
        holds = []
        for moment in times:
            profile = life.at(moment)
            assert profile is not None
            scope = life.segments.scope_of(profile, profile_view(profile, fold(profile)), moment)
            holds.append(condition.test(scope))
        long = [i >= segment.for_ms and all(holds[i - segment.for_ms : i + 1]) for i in range(len(holds))]
        belongs[name] = [any(long[max(0, i - max(segment.within_ms - 1, 0)) : i + 1]) for i in range(len(long))]
        if segment.within_ms:  # it ends that long after the first moment at which it does not hold
            ends = [i for i in range(1, len(long)) if long[i - 1] and not long[i]]
            belongs[name] = [
                long[i] or any(end <= i < end + segment.within_ms for end in ends) for i in range(len(long))
            ]
    return [tuple(sorted(name for name in belongs if belongs[name][i])) for i in range(len(times))]


@examples(300)
@given(rules, steps, st.integers(0, 3))
def test_belonging_is_what_it_is_said_to_be_and_nothing_changes_before_it_is_due(given_rules, todo, late):
    life = Life(segments_of(given_rules))
    life.unit([], meets=True, new=True)
    for later, operations, new in todo:
        for _ in range(later):
            life.clock += 1
            due = life.profile.due
            if due is not None and life.clock >= due + late:  # looked at again, perhaps late
                life.unit([], meets=False)
        life.unit(operations, meets=True, new=new)
    end = life.clock + 25
    expected = by_definition(life, end)
    for at, profile in life.stored:
        if life.at(at) is profile:
            assert profile.conditional == expected[at - START]
    for moment in range(START, end):
        profile = life.at(moment)
        assert profile is not None
        if profile.due is None or moment < profile.due:
            assert profile.conditional == expected[moment - START]


@examples(150)
@given(rules, steps)
def test_whoever_looks_at_any_time_finds_the_same(given_rules, todo):
    """Nobody looks while time passes: what was meanwhile is worked out when an event comes."""
    life = Life(segments_of(given_rules))
    life.unit([], meets=True, new=True)
    for later, operations, new in todo:
        life.clock += later
        life.unit(operations, meets=True, new=new)
    expected = by_definition(life, life.clock + 1)
    assert life.profile.conditional == expected[-1]


def test_how_long_somebody_belongs_to_a_segment_is_kept():
    life = Life(segments_of([("profile.traits.a > 2", (0, 0)), ("profile.traits.a > 2", (10, 0))]))
    life.unit([Set(A, 3)], meets=True)
    life.clock += 4
    life.unit([Set(A, 4)], meets=True)
    assert life.profile.standing == {"s0": Standing(since=START), "s1": Standing(holds_since=START)}
    assert life.profile.due == START + 10
    life.clock = START + 50
    life.unit([], meets=False)
    assert life.profile.standing["s1"] == Standing(since=START + 10, holds_since=START)
    life.unit([Unset(A)], meets=True)
    assert (life.profile.standing, life.profile.conditional, life.profile.due) == ({}, (), None)


def test_a_time_that_was_set_earlier_stays_while_it_is_ahead():
    life = Life(segments_of([("profile.metadata.last_seen < now - 100", (0, 0))]))
    life.unit([], meets=True)
    first = life.profile.due
    assert first == START + 101
    life.clock += 30
    life.unit([], meets=True)
    assert life.profile.due == first
    life.clock = first
    life.unit([], meets=False)
    assert life.profile.due == START + 30 + 101


def test_a_clock_that_is_behind_does_not_turn_segments_back():
    life = Life(segments_of([("profile.traits.a > now - 1714564800010", (0, 0))]))
    life.unit([Set(A, 5)], meets=True)
    life.clock = START + 20
    life.unit([], meets=False)
    assert life.profile.conditional == ()
    life.clock = START + 3
    life.unit([], meets=True)
    assert (life.profile.conditional, life.profile.evaluated_at) == ((), START + 20)


def test_without_anything_of_time_nothing_is_ever_due():
    life = Life(segments_of([("profile.traits.a > 2", (0, 0))]))
    life.unit([Set(A, 3)], meets=True)
    assert (life.profile.conditional, life.profile.evaluated_at, life.profile.due) == (("s0",), 0, None)


def test_a_segment_that_is_gone_is_forgotten():
    life = Life(segments_of([("profile.traits.a > now - 1714564800010", (0, 5))]))
    life.unit([Set(A, 5)], meets=True)
    life.segments = SegmentRules(())
    life.unit([], meets=True)
    assert structs.asdict(life.profile)["standing"] == {}
    assert (life.profile.conditional, life.profile.due) == ((), None)


def test_the_version_is_of_what_decides():
    def version(text: str, **more: Any) -> str:
        return SegmentRules([Segment(name="s", condition=compile_condition(text), **more)]).version

    assert version("profile.traits.a > 2") == version("profile.traits.a > 2", description="others")
    others = [version("profile.traits.a > 3"), version("profile.traits.a > 2", for_ms=5)]
    others.append(version("profile.traits.a > 2", within_ms=5))
    assert len({version("profile.traits.a > 2"), *others}) == 4
    assert SegmentRules([Segment(name="s", manual=True)]).version == SegmentRules([]).version


def test_a_condition_that_cannot_be_planned_makes_no_segment():
    with pytest.raises(ProblemError, match="cannot be planned"):
        Segment(name="s", condition=compile_condition("now % 7 == 0"))
