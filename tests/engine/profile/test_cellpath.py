"""Every path has its own cell path, and no name that a client sends can produce the cell path of another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.cellpath import cell_path, element_cell, element_of, member_cell, member_of, path_of
from tests.engine.profile.histories import examples

names = st.one_of(st.text(max_size=4), st.text("~.01emi,", max_size=5))
paths = st.lists(names, min_size=1, max_size=4).map(tuple)
plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text())


@pytest.mark.parametrize(
    ("path", "cell"),
    [
        pytest.param(("traits", "age"), "traits.age", id="names are joined by dots"),
        pytest.param(("traits", "a.b"), "traits.a~1b", id="a dot in a name is escaped"),
        pytest.param(("traits", "~1"), "traits.~01", id="so is a tilde"),
        pytest.param(("", "x"), "~e.x", id="an empty name has a mark"),
    ],
)
def test_a_path_is_encoded_as_one_text(path, cell):
    assert cell_path(path) == cell
    assert path_of(cell) == path


@examples(200)
@given(paths, paths)
def test_different_paths_have_different_cell_paths(path, other):
    assert path_of(cell_path(path)) == path
    assert (cell_path(path) == cell_path(other)) == (path == other)


@examples(200)
@given(paths, plain)
def test_a_member_is_read_back_as_it_was_written(path, member):
    above, _, segment = member_cell(cell_path(path), member).rpartition(".")
    assert above == cell_path(path)
    assert (type(member_of(segment)), member_of(segment)) == (type(member), member)


@examples(50)
@given(paths, st.integers(0, 2**50), st.integers(0, 999))
def test_an_element_is_read_back_as_it_was_written(path, time, index):
    above, _, segment = element_cell(cell_path(path), time, index).rpartition(".")
    assert (above, element_of(segment)) == (cell_path(path), (time, index))


def test_members_of_different_kinds_are_different_cells():
    assert len({member_cell("s", member) for member in (1, True, "1", "true", None, "null", 1.5)}) == 7


def test_a_name_never_looks_like_a_member_or_an_element():
    assert cell_path(("s", '~m"p"')) != member_cell("s", "p")
    assert cell_path(("l", "~i1,2")) != element_cell("l", 1, 2)
