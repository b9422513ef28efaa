"""Which of the due times that have passed is fired."""

from hypothesis import given
from hypothesis import strategies as st

from engine.flow.schedule import CATCH_UP, Schedule
from engine.tracking.schedules.passed_times import (
    INDEXED_MS,
    LATE_MS,
    MAX_COUNTED,
    MAX_FIRED,
    Decision,
    decide,
    passed,
    start_of,
)

MINUTE = 60_000
SCHEDULES = st.builds(
    Schedule,
    every_ms=st.sampled_from([1_000, MINUTE, 600_000, 3_600_000]),
    catch_up=st.sampled_from(CATCH_UP),
    jitter_ms=st.sampled_from([0, 500, 30_000]),
    segment=st.sampled_from(["", "vip"]),
)


def after_of(schedule: Schedule):
    return lambda time: (time // schedule.every_ms + 1) * schedule.every_ms


@given(SCHEDULES, st.integers(1, 50), st.integers(0, 10**8))
def test_a_decision_is_for_a_due_time_that_has_come_and_leads_on(schedule: Schedule, index: int, late: int) -> None:
    after = after_of(schedule)
    first = index * schedule.every_ms
    now = first + late
    found = decide(schedule, "task", first, now, after)
    if found is None:
        assert start_of(schedule, "task", first) > now
        return
    assert found.next > first
    if found.due is None:
        assert schedule.catch_up == "none"
        assert found.next > now
        assert now - start_of(schedule, "task", found.next - schedule.every_ms) > LATE_MS - schedule.every_ms
        return
    assert first <= found.due <= now
    assert found.next == after(found.due)
    if schedule.catch_up != "all":  # it stands for all before it
        assert found.missed == min((found.due - first) // schedule.every_ms, MAX_COUNTED)


@given(SCHEDULES, st.integers(1, 50), st.lists(st.integers(0, 10**7), min_size=1, max_size=30))
def test_due_times_are_done_forwards_and_each_once(schedule: Schedule, index: int, pauses: list[int]) -> None:
    """Each due time is fired, stood for or skipped exactly once, in order; what is left is not due yet."""
    after, next = after_of(schedule), index * schedule.every_ms
    now, done = next, 0
    first = next
    for pause in pauses:
        now += pause
        while (found := decide(schedule, "task", next, now, after)) is not None:
            assert found.next > next
            done += (found.next - next) // schedule.every_ms
            next = found.next
    assert next == first + done * schedule.every_ms
    assert start_of(schedule, "task", next) > now


def test_the_newest_hundred_are_made_up_for() -> None:
    schedule = Schedule(every_ms=MINUTE, catch_up="all")
    found = decide(schedule, "task", MINUTE, 500 * MINUTE, after_of(schedule))
    assert found == Decision(401 * MINUTE, 400, 402 * MINUTE)


def test_due_times_of_years_are_counted_in_no_time() -> None:
    schedule = Schedule(every_ms=1_000)
    count, newest = passed(1_000, 10**11, after_of(schedule))
    assert (count, newest[-1]) == (MAX_COUNTED, 10**11)
    assert len(newest) >= MAX_FIRED


def test_a_segment_is_searched_once_its_index_is_complete() -> None:
    schedule = Schedule(every_ms=MINUTE, segment="vip")
    assert decide(schedule, "task", MINUTE, MINUTE + INDEXED_MS - 1, after_of(schedule)) is None
    assert decide(schedule, "task", MINUTE, MINUTE + INDEXED_MS, after_of(schedule)) == Decision(MINUTE, 0, 2 * MINUTE)
