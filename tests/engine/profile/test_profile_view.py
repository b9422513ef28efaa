"""The view of a profile, which flows read and answers contain."""

import msgspec
import pytest

from engine.profile.apply import apply_operations
from engine.profile.document import Members, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Add, Increment, Remove, Set, Unset
from engine.profile.profile_view import change_view, profile_view
from tests.engine.profile.profiles import Profiles, exact


def test_a_view_always_has_all_roots():
    profile = new_profile("p", 100)
    assert exact(profile_view(profile, fold(profile))) == exact(
        {
            "id": "p",
            "ids": ["p"],
            "traits": {},
            "pii": {},
            "consents": {},
            "segments": Members(),
            "counters": {},
            "metadata": {"created": 100, "updated": 100, "version": 0, "first_seen": 100, "visits": 0},
        }
    )


def test_the_segments_of_a_view_are_manual_and_conditional_ones():
    profile, _ = apply_operations(new_profile("p", 1), "p", [Add(("segments",), "vip"), Add(("segments",), "new")], 5)
    profile = msgspec.structs.replace(profile, conditional=("big", "vip"))
    assert exact(profile_view(profile, fold(profile))["segments"]) == exact(Members(("big", "new", "vip")))


def test_ids_and_times_are_those_of_all_parts():
    profiles = Profiles("AB")
    profiles.commit("B", [Set(("traits", "x"), 1)], 50)
    profiles.merge("A", "B", "k")
    view = profile_view(profiles.of("B"), profiles.read("B"))
    assert (view["id"], view["ids"], view["metadata"]["updated"]) == ("A", ["A", "B"], 50)


def test_the_view_of_a_tombstone_is_empty():
    profiles = Profiles("AB")
    profiles.merge("A", "B", "k")
    stone = profiles.documents["B"]
    assert profile_view(stone, fold(stone))["metadata"]["updated"] == stone.created


@pytest.mark.parametrize(
    ("op", "root", "value"),
    [
        pytest.param(Set(("traits", "x"), 1), "traits", {"x": 1}, id="into an empty root"),
        pytest.param(Increment(("traits", "n"), 1), "traits", {"n": 1}, id="counted in an empty root"),
        pytest.param(Unset(("pii", "email")), "pii", {}, id="the last of a root"),
        pytest.param(Unset(("pii",)), "pii", {}, id="a root as a whole"),
        pytest.param(Remove(("segments",), "vip"), "segments", Members(), id="the last segment"),
        pytest.param(Add(("segments",), "new"), "segments", Members(("new", "vip")), id="another segment"),
    ],
)
def test_a_root_stays_when_an_operation_empties_it(op, root, value):
    profile, _ = apply_operations(new_profile("p", 1), "p", [Set(("pii", "email"), "x"), Add(("segments",), "vip")], 5)
    before = profile_view(profile, fold(profile))
    after = change_view(before, op)
    assert exact(after[root]) == exact(value)
    assert before.keys() == after.keys()
    assert exact(before) == exact(profile_view(profile, fold(profile)))
