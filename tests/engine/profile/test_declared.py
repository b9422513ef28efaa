"""Declared rules decide which of several set values shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.declared import declared_value, wins
from engine.profile.document import Members
from engine.profile.operations import Add, Increment, Refused, Set, Unset
from engine.profile.tree import change
from engine.profile.value import ABSENT
from tests.engine.profile.histories import examples, joins, logs, play, reference_of, steady
from tests.engine.profile.profiles import Profiles, exact

IDS = "ABC"
F = ("t", "f")
rules = st.sampled_from(["oldest", "min", "max"])
on_f = st.one_of(
    st.builds(Set, st.just(F), st.sampled_from([1, 5, 9, 2.5, None, None, "u", "v", True])),
    st.builds(Set, st.just(("t",)), st.sampled_from([{"f": 4}, {"g": 1}, {"f": {"x": 1}}, {"f": Members(("p",))}])),
    st.builds(Unset, st.sampled_from([F, ("t",)])),
    st.builds(Set, st.just((*F, "x")), st.just(1)),
    st.builds(Add, st.just(F), st.just("p")),
)
counted = st.builds(Increment, st.just(F), st.sampled_from([3, 7, -2]))


@examples(100)
@given(logs(IDS, steady, most=5), rules, st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 9)), min_size=1))
def test_the_declared_value_shows_until_it_is_unset(log, rule, sets):
    profiles = Profiles(IDS, {F: rule})
    profiles.merge("A", "B", "k")
    profiles.merge("B", "C", "k")
    for id, value in sets:
        profiles.commit(id, [Set(F, value)], 0)
    values = [value for _, value in sets]
    assert profiles.read("B") == {"t": {"f": {"oldest": values[0], "min": min(values), "max": max(values)}[rule]}}
    profiles.commit("C", [Unset(F)], 0)
    profiles.commit("A", [Set(F, 5)], 0)
    assert profiles.read("B") == {"t": {"f": 5}}


@examples(150)
@given(
    logs(IDS, st.one_of(on_f, counted), most=6), logs(IDS, on_f, most=8), rules, joins(IDS, 2), logs(IDS, on_f, most=8)
)
def test_declared_paths_read_as_in_the_reference_model(past, before, rule, links, later):
    reference, profiles = reference_of(IDS), Profiles(IDS)
    play(reference, profiles, past)  # counted before it was declared, perhaps
    reference.fields = profiles.fields = {F: rule}
    play(reference, profiles, before, 50)
    for join in links:
        reference.merge(*join)
        profiles.merge(*join)
    play(reference, profiles, later, 100)
    for id in IDS:
        assert exact(profiles.read(id)) == exact(reference.read(id))


@pytest.mark.parametrize(
    ("rule", "now", "value", "shows"),
    [
        ("oldest", 3, 1, 3),
        ("min", 3, 1, 1),
        ("min", "b", "c", "b"),
        ("max", 3, 3.5, 3.5),
        ("max", False, True, True),
        ("max", 3, None, 3),
        ("min", None, 3, 3),
        ("oldest", None, 3, 3),
        ("min", ABSENT, 3, 3),
        ("max", [1], 3, 3),
        ("max", {"a": 1}, 3, 3),
    ],
)
def test_one_of_two_values_shows(rule, now, value, shows):
    assert declared_value(rule, now, value, F) == shows


def test_of_two_equal_values_the_first_stays():
    assert not wins("min", 1, 1)
    assert not wins("max", 1.0, 1)


@pytest.mark.parametrize(
    ("op", "sentence"),
    [
        (Increment(F, 1), "`t.f` is declared `max` and is not counted"),
        (Set(F, "x"), "`t.f` is declared `max` and is a number, not text"),
        (Set(F, True), "`t.f` is declared `max` and is a number, not true or false"),
        (Set(F, [1]), "`t.f` takes a plain value, not a list"),
        (Set(F, {}), "`t.f` takes a plain value, not an object"),
    ],
)
def test_an_operation_that_a_declared_path_does_not_accept_is_refused(op, sentence):
    with pytest.raises(Refused, match=f"^{sentence}$"):
        change({"t": {"f": 1}}, op, {F: "max"})


def test_values_of_different_kinds_at_a_declared_path_are_ordered_by_kind():
    profiles = Profiles("AB", {F: "max"})
    profiles.commit("A", [Set(F, 5)], 20)
    profiles.commit("B", [Set(F, "x")], 10)
    profiles.merge("A", "B", "k")
    assert profiles.read("A") == {"t": {"f": "x"}}
