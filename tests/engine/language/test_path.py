import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import ABSENT
from engine.language.path import parse_path, read, show_path
from engine.problem import ProblemError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("traits", ("traits",), id="one name"),
        pytest.param("traits.revenue", ("traits", "revenue"), id="two names"),
        pytest.param("traits['a.b'].c", ("traits", "a.b", "c"), id="a dot in quoted brackets"),
        pytest.param('traits["x"]', ("traits", "x"), id="double quotes"),
        pytest.param("traits[ 'x' ]['y']", ("traits", "x", "y"), id="brackets after brackets"),
        pytest.param("traits.order-id", ("traits", "order-id"), id="a hyphen is part of a key's name"),
        pytest.param("traits.7", ("traits", "7"), id="digits are a name"),
        pytest.param("traits.straße", ("traits", "straße"), id="letters of any script"),
        pytest.param(r"['it\'s']", ("it's",), id="an escaped quote"),
        pytest.param("traits['']", ("traits", ""), id="an empty name in quotes"),
    ],
)
def test_a_path_is_parsed_into_names(text, path):
    assert parse_path(text) == path


@pytest.mark.parametrize(
    ("text", "offset", "length"),
    [
        pytest.param("", 0, 1, id="nothing"),
        pytest.param("a.", 1, 1, id="a dot at the end"),
        pytest.param(".a", 0, 1, id="a dot at the start"),
        pytest.param("a..b", 2, 1, id="two dots"),
        pytest.param("a b", 1, 1, id="a space"),
        pytest.param("a[0]", 1, 3, id="a list index"),
        pytest.param("a['b", 1, 3, id="an open bracket"),
        pytest.param("a['b']c", 6, 1, id="no dot after brackets"),
        pytest.param("a.['b']", 2, 5, id="a dot before brackets"),
        pytest.param("{{ a }}", 0, 1, id="a template"),
    ],
)
def test_a_bad_path_is_refused_with_its_position(text, offset, length):
    with pytest.raises(ProblemError) as error:
        parse_path(text)
    problem = error.value.problem
    assert (problem.code, problem.offset, problem.length) == ("H204", offset, length)
    assert problem.help


@pytest.mark.parametrize("text", ["a" * 2000, ".".join("a" * 17)], ids=["too long", "too many names"])
def test_a_path_has_limits(text):
    with pytest.raises(ProblemError) as error:
        parse_path(text)
    assert error.value.problem.code == "H208"


@given(st.lists(st.text(max_size=8), min_size=1, max_size=8))
def test_a_shown_path_is_parsed_back(names):
    assert parse_path(show_path(names)) == tuple(names)


@given(st.text(max_size=60))
def test_any_text_is_a_path_or_refused(text):
    try:
        parse_path(text)
    except ProblemError as error:
        problem = error.problem
    else:
        return
    assert 0 <= problem.offset <= len(text)


def test_an_index_is_shown_in_brackets():
    assert show_path(("event", "items", 0, "order-id", -1)) == "event.items[0]['order-id'][-1]"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param((), {"a": {"b": [1, 2]}}, id="the value itself"),
        pytest.param(("a", "b"), [1, 2], id="keys"),
        pytest.param(("a", "b", 1), 2, id="an index"),
        pytest.param(("a", "b", -1), 2, id="an index from the end"),
        pytest.param(("a", "b", 2), ABSENT, id="an index beyond the end"),
        pytest.param(("a", "c"), ABSENT, id="no such key"),
        pytest.param(("a", 0), ABSENT, id="an object has no indexes"),
        pytest.param(("a", "b", "append"), ABSENT, id="a list has no keys"),
        pytest.param(("a", "keys"), ABSENT, id="no attributes"),
    ],
)
def test_read_follows_keys_and_indexes(path, found):
    assert read({"a": {"b": [1, 2]}}, path) == found


def test_text_has_no_indexes():
    assert read("abc", (0,)) is ABSENT


def test_a_tuple_counts_as_a_list():
    assert read((1, 2), (1,)) == 2
