import pytest

from engine.profile.apply import apply_operations
from engine.profile.document import new_profile
from engine.profile.fold import fold
from engine.profile.operations import Add, Append, Increment, Remove, Set, Unset
from engine.profile.profile_view import profile_view
from engine.profile.written_at import written_at
from tests.engine.profile.profiles import Profiles

T = ("traits",)


def scope_of(profile, now=1000, operations=()):
    return {
        "profile": profile_view(profile, fold(profile)),
        "stored_profile": profile,
        "now": now,
        "operations": operations,
    }


def at(profile, *names):
    return written_at(scope_of(profile), (*T, *names))


@pytest.mark.parametrize(("done", "path", "time"), [
    pytest.param([(10, Set((*T, "tier"), "gold"))], ("tier",), 10, id="set"),
    pytest.param([(10, Set((*T, "tier"), "gold")), (20, Set((*T, "tier"), "gold"))], ("tier",), 20, id="set again"),
    pytest.param([(10, Set((*T, "a"), 1)), (20, Set((*T, "b"), 1))], ("a",), 10, id="another one later"),
    pytest.param([(10, Set((*T, "a"), {"x": 1, "y": 2})), (20, Set((*T, "a", "x"), 5))], ("a",), 20, id="below"),
    pytest.param([(10, Set((*T, "a"), {"x": 1, "y": 2})), (20, Set((*T, "a", "x"), 5))], ("a", "y"), 10, id="beside"),
    pytest.param([(10, Increment((*T, "n"), 1)), (20, Increment((*T, "n"), 1))], ("n",), 20, id="counted"),
    pytest.param([(10, Add((*T, "s"), "p")), (20, Add((*T, "s"), "q"))], ("s",), 20, id="a set gains"),
    pytest.param([(10, Add((*T, "s"), "p")), (20, Add((*T, "s"), "q")), (30, Remove((*T, "s"), "q"))], ("s",), 30,
                 id="a set loses"),
    pytest.param([(10, Append((*T, "l"), 1)), (20, Append((*T, "l"), 2))], ("l",), 20, id="a list grows"),
    pytest.param([(10, Set((*T, "tier"), "gold")), (20, Unset((*T, "tier")))], ("tier",), None, id="removed"),
    pytest.param([], ("tier",), None, id="never"),
    pytest.param([(10, Set((*T, "tier_of"), 1))], ("tier",), None, id="a longer name"),
])  # fmt: skip
def test_written_at_is_the_time_of_the_last_write(done, path, time):
    profile = new_profile("p", 1)
    for now, op in done:
        profile, _ = apply_operations(profile, "p", [op], now)
    assert at(profile, *path) == time


def test_a_write_of_the_current_unit_has_the_time_of_its_commit():
    profile, _ = apply_operations(new_profile("p", 1), "p", [Set((*T, "a"), 1)], 2000)
    op = Set((*T, "b"), 1)
    after, time = apply_operations(profile, "p", [op], 1000)
    scope = scope_of(after) | {"stored_profile": profile, "operations": (op,)}
    assert written_at(scope, (*T, "b")) == time == 2001
    assert written_at(scope, (*T, "a")) == 2000
    assert written_at(scope, T) == 2001


def test_written_at_is_the_newest_time_in_merged_profiles():
    profiles = Profiles("AB")
    profiles.commit("A", [Set((*T, "tier"), "gold")], 50)
    profiles.commit("B", [Set((*T, "tier"), "silver")], 60)
    profiles.merge("A", "B", "k")
    assert at(profiles.of("A"), "tier") == 60
    profiles.unmerge("A", "k")
    assert at(profiles.of("A"), "tier") == 50


def test_without_a_profile_nothing_was_written():
    assert written_at({"profile": None, "now": 5}, (*T, "tier")) is None
