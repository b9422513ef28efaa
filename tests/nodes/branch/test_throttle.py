import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from engine.profile.apply import apply_operations
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.profile.recent import MAX_RECENT
from nodes.branch.throttle import Throttle
from tests.nodes.build import NOW, node_context, stored_profile

HOUR = 3_600_000
START = (stored_profile(), "p-ann")


def passing(node, times, profile=None, by=None, acting="p-ann"):
    """The ports at which a profile leaves at some times, and the profile afterwards."""
    profile, ports = profile or stored_profile(), []
    for i, time in enumerate(times):
        asked = node if by is None else structs.replace(node, by=by[i])
        context = structs.replace(node_context(profile), now=NOW + time, place="f.calm")
        outcome = asked.run(context)
        ports.append(outcome.port)
        profile, _ = apply_operations(profile, acting, outcome.effects, NOW + time)
    return ports, profile


def test_a_profile_passes_at_most_so_many_times_within_the_time():
    ports, _ = passing(Throttle(most=2, per=HOUR), [0, 10, 20, HOUR - 1, HOUR, HOUR + 1, HOUR + 11])
    assert ports == ["passed", "passed", "throttled", "throttled", "passed", "throttled", "passed"]


@given(st.integers(1, 5), st.lists(st.integers(0, 3 * HOUR), max_size=30))
def test_no_window_of_that_length_has_more(most, times):
    times.sort()
    ports, _ = passing(Throttle(most=most, per=HOUR), times)
    passed = [time for time, port in zip(times, ports, strict=True) if port == "passed"]
    assert all(sum(start <= time < start + HOUR for time in passed) <= most for start in passed)
    for time, port in zip(times, ports, strict=True):
        if port == "throttled":
            assert sum(time - HOUR < one <= time for one in passed) == most


def test_values_are_counted_by_themselves():
    ports, profile = passing(Throttle(most=1, per=HOUR), [0, 1, 2, 3], by=["spring", "may", "spring", 1])
    assert ports == ["passed", "passed", "throttled", "passed"]
    assert "spring" not in str(fold(profile))


def test_limits_of_one_name_count_together():
    first, profile = passing(Throttle(most=1, per=HOUR, name="mail"), [0])
    second, _ = passing(Throttle(most=1, per=HOUR), [1], profile)
    third, _ = passing(Throttle(most=1, per=HOUR, name="mail"), [1], profile)
    assert first + second + third == ["passed", "passed", "throttled"]


def test_what_profiles_that_merge_have_passed_is_added_up():
    node = Throttle(most=2, per=HOUR)
    _, ann = passing(node, [0])
    _, bo = passing(node, [1], stored_profile("p-bo"), acting="p-bo")
    merged = structs.replace(ann, parts={**ann.parts, **bo.parts})
    assert passing(node, [2], merged)[0] == ["throttled"]
    assert passing(node, [2], ann)[0] == ["passed"]


def test_too_many_values_leave_by_failed_and_name_the_limit():
    node = Throttle(most=1, per=HOUR)
    ports, profile = passing(node, range(MAX_RECENT + 1), by=[str(i) for i in range(MAX_RECENT + 1)])
    assert ports == ["passed"] * MAX_RECENT + ["failed"]
    context = structs.replace(node_context(profile), now=NOW + MAX_RECENT, place="f.calm")
    assert "100" in structs.replace(node, by="new").run(context).reason


def test_without_a_profile_it_leaves_by_failed():
    assert Throttle(most=1, per=HOUR).run(node_context()).port == "failed"


def test_nothing_of_it_is_in_the_view_of_a_profile_that_has_passed_nothing():
    assert "recent" not in profile_view(stored_profile(), fold(stored_profile()))


@pytest.mark.parametrize("port", ["passed", "throttled"])
def test_its_outcome_has_no_output(port):
    outcome = Throttle(most=1, per=HOUR).run(structs.replace(node_context(stored_profile()), place="f.calm"))
    assert outcome.out is None, port
