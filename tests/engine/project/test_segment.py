"""Membership in segments and its changes by time, compared with an evaluation at every millisecond."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from engine.language.expression import compile_condition
from engine.language.moment import date
from engine.problem import ProblemError
from engine.profile.apply import apply_operations
from engine.profile.document import Profile, Standing, WaitStub, new_profile
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
units = st.lists(st.tuples(st.integers(0, 9), st.lists(changes, max_size=2), st.booleans()), min_size=1, max_size=8)


def segments_of(conditions_and_windows: list[tuple[str, tuple[int, int]]]) -> SegmentRules:
    return SegmentRules(
        Segment(name=f"s{i}", condition=compile_condition(text), for_ms=for_ms, within_ms=within_ms)
        for i, (text, (for_ms, within_ms)) in enumerate(conditions_and_windows)
    )


class ProfileHistory:
    """A profile, and its documents as they were stored over time."""

    def __init__(self, segments: SegmentRules) -> None:
        self.segments = segments
        self.profile = new_profile("p", START)
        self.clock = START
        self.stored: list[tuple[int, Profile]] = []

    def unit(self, operations: list[Operation], *, visit: bool, new: bool = False) -> None:
        """Commit a unit at the clock's time; `visit` says that it has an event, `new` that the event starts a visit."""
        at = max(self.clock, self.profile.evaluated_at)
        profile = self.segments.with_time_passed(self.profile, profile_view(self.profile, fold(self.profile)), at)
        profile = record_visit(profile, "p", self.clock, new) if visit else profile
        profile, _ = apply_operations(profile, "p", operations, self.clock)
        self.profile = self.segments.with_membership(profile, profile_view(profile, fold(profile)), at)
        self.stored.append((self.clock, self.profile))

    def at(self, moment: int) -> Profile | None:
        """Return the document that was stored at the end of a moment (ms), if any."""
        return next((profile for at, profile in reversed(self.stored) if at <= moment), None)

    def during(self, moment: int) -> list[Profile]:
        """Return the documents that were stored at a moment (ms), else the one that was stored before it."""
        documents = [profile for at, profile in self.stored if at == moment]
        latest = self.at(moment)
        return documents or ([latest] if latest is not None else [])


def by_definition(history: ProfileHistory, end: int) -> list[tuple[str, ...]]:
    """Return the segments at every ms from the start to `end`, by their definition alone."""
    times = range(START, end)
    belongs: dict[str, list[bool]] = {}
    for name, condition, segment in history.segments.rules:
        holds, throughout = [], []  # at the end of each ms; for all documents of each ms
        for moment in times:
            results = [
                condition.test(history.segments.scope_of(profile, profile_view(profile, fold(profile)), moment))
                for profile in history.during(moment)
            ]
            holds.append(results[-1])
            throughout.append(all(results))
        long = [
            i >= segment.for_ms and holds[i - segment.for_ms] and all(throughout[i - segment.for_ms + 1 : i + 1])
            for i in range(len(holds))
        ]
        belongs[name] = [any(long[max(0, i - max(segment.within_ms - 1, 0)) : i + 1]) for i in range(len(long))]
        if segment.within_ms:  # membership ends that long after the first moment at which the condition does not hold
            ends = [i for i in range(1, len(long)) if long[i - 1] and not long[i]]
            belongs[name] = [
                long[i] or any(end <= i < end + segment.within_ms for end in ends) for i in range(len(long))
            ]
    return [tuple(sorted(name for name in belongs if belongs[name][i])) for i in range(len(times))]


@examples(300)
@given(rules, units, st.integers(0, 3))
def test_membership_follows_its_definition_and_does_not_change_before_it_is_due(conditions_and_windows, todo, late):
    history = ProfileHistory(segments_of(conditions_and_windows))
    history.unit([], visit=True, new=True)
    for later, operations, new in todo:
        for _ in range(later):
            history.clock += 1
            due = history.profile.due
            if due is not None and history.clock >= due + late:  # evaluated again, perhaps late
                history.unit([], visit=False)
        history.unit(operations, visit=True, new=new)
    end = history.clock + 25
    expected = by_definition(history, end)
    for at, profile in history.stored:
        if history.at(at) is profile:
            assert profile.conditional == expected[at - START]
    for moment in range(START, end):
        profile = history.at(moment)
        assert profile is not None
        if profile.due is None or moment < profile.due:
            assert profile.conditional == expected[moment - START]


@examples(150)
@given(rules, units)
def test_an_evaluation_at_any_time_has_the_same_result(conditions_and_windows, todo):
    """The profile is not evaluated while time passes: the next event computes what happened meanwhile."""
    history = ProfileHistory(segments_of(conditions_and_windows))
    history.unit([], visit=True, new=True)
    for later, operations, new in todo:
        history.clock += later
        history.unit(operations, visit=True, new=new)
    expected = by_definition(history, history.clock + 1)
    assert history.profile.conditional == expected[-1]


def test_the_time_at_which_a_profile_entered_a_segment_is_kept():
    history = ProfileHistory(segments_of([("profile.traits.a > 2", (0, 0)), ("profile.traits.a > 2", (10, 0))]))
    history.unit([Set(A, 3)], visit=True)
    history.clock += 4
    history.unit([Set(A, 4)], visit=True)
    assert history.profile.standing == {"s0": Standing(since=START), "s1": Standing(holds_since=START)}
    assert history.profile.due == START + 10
    history.clock = START + 50
    history.unit([], visit=False)
    assert history.profile.standing["s1"] == Standing(since=START + 10, holds_since=START)
    history.unit([Unset(A)], visit=True)
    assert (history.profile.standing, history.profile.conditional, history.profile.due) == ({}, (), None)


def test_an_earlier_due_time_stays_while_it_is_ahead():
    history = ProfileHistory(segments_of([("profile.metadata.last_seen < now - 100", (0, 0))]))
    history.unit([], visit=True)
    first = history.profile.due
    assert first == START + 101
    history.clock += 30
    history.unit([], visit=True)
    assert history.profile.due == first
    history.clock = first
    history.unit([], visit=False)
    assert history.profile.due == START + 30 + 101


def test_a_clock_that_is_behind_does_not_undo_a_change_of_membership():
    history = ProfileHistory(segments_of([("profile.traits.a > now - 1714564800010", (0, 0))]))
    history.unit([Set(A, 5)], visit=True)
    history.clock = START + 20
    history.unit([], visit=False)
    assert history.profile.conditional == ()
    history.clock = START + 3
    history.unit([], visit=True)
    assert (history.profile.conditional, history.profile.evaluated_at) == ((), START + 20)


def test_a_profile_is_never_due_if_no_condition_depends_on_time():
    history = ProfileHistory(segments_of([("profile.traits.a > 2", (0, 0))]))
    history.unit([Set(A, 3)], visit=True)
    assert (history.profile.conditional, history.profile.evaluated_at, history.profile.due) == (("s0",), 0, None)


def test_the_standing_in_a_removed_segment_is_dropped():
    history = ProfileHistory(segments_of([("profile.traits.a > now - 1714564800010", (0, 5))]))
    history.unit([Set(A, 5)], visit=True)
    history.segments = SegmentRules(())
    history.unit([], visit=True)
    assert structs.asdict(history.profile)["standing"] == {}
    assert (history.profile.conditional, history.profile.due) == ((), None)


def test_the_version_depends_on_everything_that_decides_about_membership():
    def version(text: str, **more: Any) -> str:
        return SegmentRules([Segment(name="s", condition=compile_condition(text), **more)]).version

    assert version("profile.traits.a > 2") == version("profile.traits.a > 2", description="others")
    others = [version("profile.traits.a > 3"), version("profile.traits.a > 2", for_ms=5)]
    others.append(version("profile.traits.a > 2", within_ms=5))
    segment = Segment(name="s", condition=compile_condition("profile.traits.a > 2"))
    others.append(SegmentRules([segment], "Europe/Berlin").version)
    assert len({version("profile.traits.a > 2"), *others}) == 5
    assert SegmentRules([Segment(name="s", manual=True)]).version == SegmentRules([]).version


@pytest.mark.parametrize(("zone", "born", "entered", "left"), [
    pytest.param("America/New_York", "12-24", "2026-12-24T05:00Z", "2026-12-25T05:00Z", id="in winter"),
    pytest.param("America/New_York", "03-08", "2026-03-08T05:00Z", "2026-03-09T04:00Z", id="a day of 23 hours"),
    pytest.param("America/New_York", "11-01", "2026-11-01T04:00Z", "2026-11-02T05:00Z", id="a day of 25 hours"),
    pytest.param("Europe/Berlin", "03-29", "2026-03-28T23:00Z", "2026-03-29T22:00Z", id="a day of 23 hours elsewhere"),
    pytest.param("Asia/Beirut", "03-29", "2026-03-28T22:00Z", "2026-03-29T21:00Z", id="a day without midnight"),
])  # fmt: skip
@pytest.mark.parametrize("named", [True, False], ids=["named", "of the project"])
def test_a_birthday_begins_and_ends_at_local_midnight(zone, born, entered, left, named):
    argument = f", '{zone}'" if named else ""
    condition = compile_condition(f"profile.traits.birthday == now | format_date('%m-%d'{argument})")
    rules = SegmentRules([Segment(name="birthday", condition=condition)], "UTC" if named else zone)
    history = ProfileHistory(rules)
    history.clock = date(entered) - 9 * 86_400_000
    history.unit([Set(("traits", "birthday"), born)], visit=True)
    members = [(history.clock, history.profile.conditional)]
    while history.profile.due is not None and history.profile.due <= date(left):
        history.clock = history.profile.due
        history.unit([], visit=False)
        members.append((history.clock, history.profile.conditional))
    assert [moment for moment, segments in members if segments] == [date(entered)]
    assert members[-1] == (date(left), ())


def test_a_segment_with_a_condition_that_cannot_be_planned_is_refused():
    with pytest.raises(ProblemError, match="cannot be planned"):
        Segment(name="s", condition=compile_condition("now % 7 == 0"))


@pytest.mark.parametrize("segments", [[], ["profile.traits.a > 2"]], ids=["without segments", "with an untimed one"])
def test_a_profile_is_due_when_its_first_wait_ends(segments: list[str]) -> None:
    history = ProfileHistory(segments_of([(text, (0, 0)) for text in segments]))
    waits = tuple([WaitStub(f"r{due}", 1, "flow", "p", START, due) for due in (START + 7, START + 3)])
    history.profile = structs.replace(history.profile, waits=waits)
    history.unit([], visit=True)
    assert history.profile.due == START + 3
    history.profile = structs.replace(history.profile, waits=())
    history.unit([], visit=True)
    assert history.profile.due is None


@examples(150)
@given(rules, units, st.lists(st.integers(-3, 12), max_size=3))
def test_open_waits_never_change_which_segments_a_profile_is_in(conditions_and_windows, todo, dues):
    plain, waiting = [ProfileHistory(segments_of(conditions_and_windows)) for _ in range(2)]
    for later, operations, new in [(0, [], True), *todo]:
        for history in (plain, waiting):
            history.clock += later
        stubs = tuple([WaitStub(f"r{n}", 1, "flow", "p", START, waiting.clock + due) for n, due in enumerate(dues)])
        waiting.profile = structs.replace(waiting.profile, waits=stubs)
        for history in (plain, waiting):
            history.unit(operations, visit=True, new=new)
        assert (waiting.profile.conditional, waiting.profile.standing) == (
            plain.profile.conditional,
            plain.profile.standing,
        )
        fresh = structs.replace(waiting.profile, due=None)  # no time is known that may be too early
        view, at = profile_view(fresh, fold(fresh)), waiting.profile.evaluated_at or waiting.clock
        soonest = waiting.segments.with_membership(fresh, view, at).due
        assert soonest is None or (waiting.profile.due is not None and waiting.profile.due <= soonest)
