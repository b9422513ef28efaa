"""The kinds of values, and the form in which they are stored."""

import pytest

from engine.profile.document import LIST_CAP, SET_CAP, Members
from engine.profile.operations import Refused
from engine.profile.value import ABSENT, dotted, kind, member, members, sorted_position, stored_value
from tests.engine.profile.profiles import exact

PATH = ("traits", "x")


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "null"),
        (True, "true or false"),
        (1, "a number"),
        (0.5, "a number"),
        ("x", "text"),
        ({}, "an object"),
        ([], "a list"),
        (Members(), "a set"),
    ],
)
def test_every_kind_of_value_has_a_word(value, word):
    assert kind(value) == word


def test_members_are_sorted_by_kind_and_value():
    assert exact(members(["b", 2, None, True, "a", 1.5, False])) == exact(
        Members((None, False, True, 1.5, 2, "a", "b"))
    )


def test_a_set_has_each_member_once():
    assert exact(members([1, True, 1])) == exact(Members((True, 1)))
    assert members(["a", "b", "a"]) == ("a", "b")


@pytest.mark.parametrize(
    ("known", "new", "found"),
    [
        pytest.param(Members(("a", "c")), "b", (1, False), id="between texts"),
        pytest.param(Members(("a", "c")), "c", (1, True), id="there already"),
        pytest.param(Members((1, "a")), True, (0, False), id="true is not 1"),
        pytest.param(Members((None, 2)), 2, (1, True), id="a number"),
        pytest.param(Members(), "a", (0, False), id="into nothing"),
    ],
)
def test_a_member_has_a_sorted_position(known, new, found):
    assert sorted_position(known, new) == found


@pytest.mark.parametrize(
    ("value", "form"),
    [
        pytest.param({"a": {"b": {}}, "c": 1}, {"c": 1}, id="empty objects are left out"),
        pytest.param({"a": [], "b": Members()}, ABSENT, id="what has nothing in it is nothing"),
        pytest.param([{"a": []}, None], [{"a": []}, None], id="a list's elements are kept as they are"),
        pytest.param([Members(("b", "a"))], [["b", "a"]], id="a set in an element is a list"),
        pytest.param(list(range(LIST_CAP + 5)), list(range(5, LIST_CAP + 5)), id="a list keeps the newest"),
        pytest.param(Members((2.0, 1)), Members((1, 2)), id="a member without a fraction is an integer"),
        pytest.param(None, None, id="null is a value"),
        pytest.param(1.0, 1.0, id="a number stays as it is"),
    ],
)
def test_a_value_is_brought_into_its_stored_form(value, form):
    got = stored_value(value, PATH)
    assert got is ABSENT if form is ABSENT else exact(got) == exact(form)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (float("inf"), "`traits.x` would not be a finite number"),
        ({"y": float("nan")}, "`traits.x.y` would not be a finite number"),
        (10**300, "`traits.x` would be an integer of more than 300 digits"),
        (Members(map(str, range(SET_CAP + 1))), f"`traits.x` would have more than {SET_CAP} members"),
        (Members(((1, 2),)), "`traits.x` takes a plain value, not a list"),
    ],
    ids=["infinite", "not a number below", "too large", "too many members", "a list as member"],
)
def test_a_value_that_cannot_be_stored_is_refused(value, sentence):
    with pytest.raises(Refused, match=f"^{sentence}$"):
        stored_value(value, PATH)


def test_only_a_member_that_fits_becomes_an_integer():
    assert type(member(1e300, PATH)) is float
    assert type(member(3.0, PATH)) is int


def test_a_path_is_shown_as_authors_write_it():
    assert dotted(("traits", "a.b", "c")) == "traits['a.b'].c"
