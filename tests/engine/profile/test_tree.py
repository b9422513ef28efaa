"""Views are changed one operation at a time, and only as copies."""

import copy

import pytest
from hypothesis import given

from engine.profile.document import LIST_CAP, SET_CAP, Members
from engine.profile.operations import Add, Append, Increment, Refused, Remove, Set, Unset
from engine.profile.tree import change, look
from engine.profile.value import ABSENT, COUNT_LIMIT
from tests.engine.profile.histories import examples, logs
from tests.engine.profile.profiles import exact
from tests.engine.profile.reference import Unfit, apply_plainly

AGE, ZIP = ("traits", "age"), ("traits", "address", "zip")


@pytest.mark.parametrize(
    ("before", "op", "after"),
    [
        pytest.param({}, Set(AGE, 3), {"traits": {"age": 3}}, id="objects on the way are made"),
        pytest.param(
            {"traits": {"age": 3}}, Set(AGE, {"y": 1}), {"traits": {"age": {"y": 1}}}, id="any kind is replaced"
        ),
        pytest.param({"traits": {"age": 3}}, Set(AGE, None), {"traits": {"age": None}}, id="null is a value"),
        pytest.param({"traits": {"age": 3}}, Set(AGE, {}), {}, id="an empty object takes away what was there"),
        pytest.param({}, Set(AGE, []), {}, id="an empty list is nothing"),
        pytest.param(
            {"traits": {"address": None}}, Set(ZIP, 1), {"traits": {"address": {"zip": 1}}}, id="through null"
        ),
        pytest.param({"traits": {"address": None}}, Set(ZIP, {}), {}, id="nothing through null takes the null away"),
        pytest.param({"traits": {"age": 3, "n": 1}}, Unset(AGE), {"traits": {"n": 1}}, id="unset"),
        pytest.param({"traits": {"address": {"zip": 1}}}, Unset(ZIP), {}, id="empty objects go"),
        pytest.param({"traits": {"age": 3}}, Unset(ZIP), {"traits": {"age": 3}}, id="what is not there is not missed"),
        pytest.param({"traits": "x"}, Unset(AGE), {"traits": "x"}, id="nothing lies below a text"),
        pytest.param({}, Increment(AGE, 2), {"traits": {"age": 2}}, id="a missing number counts as zero"),
        pytest.param({"traits": {"age": None}}, Increment(AGE, 2), {"traits": {"age": 2}}, id="null counts as zero"),
        pytest.param({"traits": {"age": 1}}, Increment(AGE, 0.5), {"traits": {"age": 1.5}}, id="fractions"),
        pytest.param({"traits": {"age": 1}}, Increment(AGE, -1), {"traits": {"age": 0}}, id="zero is a number"),
        pytest.param({}, Add(AGE, "b"), {"traits": {"age": Members(("b",))}}, id="a set is made"),
        pytest.param({"s": Members(("b",))}, Add(("s",), "a"), {"s": Members(("a", "b"))}, id="members are sorted"),
        pytest.param({"s": Members(("b",))}, Add(("s",), "b"), {"s": Members(("b",))}, id="a member is there once"),
        pytest.param({"s": Members((1,))}, Add(("s",), True), {"s": Members((True, 1))}, id="true is not 1"),
        pytest.param({"s": Members((1,))}, Add(("s",), 1.0), {"s": Members((1,))}, id="1.0 is 1"),
        pytest.param({"s": Members(("a", "b"))}, Remove(("s",), "a"), {"s": Members(("b",))}, id="a member goes"),
        pytest.param({"t": {"s": Members(("a",))}}, Remove(("t", "s"), "a"), {}, id="empty sets go"),
        pytest.param({"t": {"s": None}}, Remove(("t", "s"), "a"), {"t": {"s": None}}, id="nothing is in null"),
        pytest.param({}, Append(AGE, {"a": []}), {"traits": {"age": [{"a": []}]}}, id="a list is made"),
        pytest.param({"l": [1]}, Append(("l",), None), {"l": [1, None]}, id="at the end"),
        pytest.param({"l": None}, Append(("l",), 1), {"l": [1]}, id="null gives way to a list"),
        pytest.param({"a": {"a": 1}}, Set(("a", "a"), 2), {"a": {"a": 2}}, id="a name may repeat"),
    ],
)
def test_an_operation_changes_a_view(before, op, after):
    assert exact(change(before, op)) == exact(after)


@pytest.mark.parametrize(
    ("before", "op", "sentence"),
    [
        ({"traits": {"age": "four"}}, Increment(AGE, 1), "`traits.age` is text, not a number"),
        ({"traits": {"age": True}}, Increment(AGE, 1), "`traits.age` is true or false, not a number"),
        ({"traits": {"age": [1]}}, Add(AGE, 1), "`traits.age` is a list, not a set"),
        ({"traits": {"age": 1}}, Remove(AGE, 1), "`traits.age` is a number, not a set"),
        ({"traits": {"age": Members("a")}}, Append(AGE, 1), "`traits.age` is a set, not a list"),
        ({"traits": {"address": "x"}}, Set(ZIP, 1), "`traits.address` is text, not an object: `traits.address.zip` .*"),
        ({"traits": {"address": [1]}}, Set(ZIP, {}), "`traits.address` is a list, not an object: .* lies below it"),
        ({"traits": {"address": 1}}, Remove(ZIP, "a"), "`traits.address` is a number, not an object: .*"),
        ({"a": {"a": 1}}, Set(("a", "a", "a"), 2), "`a.a` is a number, not an object: `a.a.a` lies below it"),
        ({}, Increment(AGE, float("nan")), "`traits.age` is counted by no finite number"),
        ({}, Increment(AGE, True), "`traits.age` is counted by true or false"),
        ({"traits": {"age": COUNT_LIMIT - 1}}, Increment(AGE, 1), "`traits.age` would be too large to count"),
        ({"traits": {"age": 0}}, Increment(AGE, -1e300), "`traits.age` would be too large to count"),
        ({}, Add(AGE, {"a": 1}), "`traits.age` takes a plain value, not an object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_operation_that_does_not_fit_is_refused_with_a_sentence(before, op, sentence):
    with pytest.raises(Refused, match=f"^{sentence}$"):
        change(before, op)


@pytest.mark.parametrize(("by", "kind"), [(2, int), (2.0, int), (2.5, float)])
def test_a_whole_sum_is_an_integer(by, kind):
    assert type(change({"n": 3}, Increment(("n",), by))["n"]) is kind


def test_a_full_set_takes_no_more():
    full = {"s": Members(range(SET_CAP))}
    assert change(full, Add(("s",), 5)) is full
    with pytest.raises(Refused, match=f"`s` is full: a set takes {SET_CAP} members"):
        change(full, Add(("s",), "x"))


def test_a_full_list_drops_its_oldest_elements():
    full = {"l": list(range(LIST_CAP))}
    assert change(full, Append(("l",), "x"))["l"] == [*range(1, LIST_CAP), "x"]


def test_an_operation_shares_the_values_that_it_does_not_change():
    view = {"traits": {"age": 1, "address": {"zip": 2}}, "pii": {"email": "a@b.example"}}
    after = change(view, Set(AGE, 2))
    assert after["pii"] is view["pii"]
    assert after["traits"]["address"] is view["traits"]["address"]


def test_an_operation_without_effect_returns_the_view_itself():
    view = {"traits": {"age": 1}}
    assert change(view, Unset(ZIP)) is view
    assert change(view, Remove(ZIP, "a")) is view


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("a", "b"), 1),
        (("a", "x"), ABSENT),
        (("a", "b", "c"), ABSENT),
        (("n",), None),
        (("n", "x", "y"), None),
    ],
    ids=["there", "not there", "below a value", "null", "below null"],
)
def test_look_returns_values_absence_and_null(path, found):
    assert look({"a": {"b": 1}, "n": None}, path) is found


@examples(250)
@given(logs("A", most=14, unit=3))
def test_a_view_changes_like_a_plain_dictionary_and_never_in_place(log):
    view: dict = {}
    for _, _, ops in log:
        for op in ops:
            frozen = copy.deepcopy((view, op))
            try:
                expected = apply_plainly(view, op)
            except Unfit:
                with pytest.raises(Refused):
                    change(view, op)
                continue
            after = change(view, op)
            assert exact(after) == exact(expected)
            assert (exact(view), op) == (exact(frozen[0]), frozen[1])
            view = after
