import jsonpath_ng
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import Absent, Unfit
from engine.language.expression import Read
from engine.language.jsonpath import compile_jsonpath
from engine.language.path import ROOTS
from engine.problem import ProblemError
from tests.engine.language.scopes import SCOPE, json_data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.event.type", "order-paid"),
        ("$.event.properties.nothing", None),
        ("$.event.properties.order-id", "o-1"),
        ("$.event.properties['order-id']", "o-1"),
        ("$.event['properties'].items[0].sku", "a"),
        ("$.event.properties.items[-1].sku", "b"),
        ("$.event.properties.items[*].sku", ["a", "b"]),
        ("$.event.properties.items[*]['sku', 'price']", ["a", 1, "b", 2]),
        ("$.event.properties.items[0, 1].sku", ["a", "b"]),
        ("$.event.properties.items[1:].sku", ["b"]),
        ("$.event.properties.numbers[::-1]", [2, 1, 3]),
        ("$.event.properties.address.*", ["Wrocław", "50-001"]),
        ("$.event.properties..sku", ["a", "b"]),
        ("$.event.properties..price", [2.5, 1, 2]),
        ("$.profile.segments[*]", ["big", "vip"]),
        ("$.profile.segments[0]", "big"),
        ("$.event.properties.missing[*].x", []),
        ("$.event.properties.name[*]", []),
        ("$.session[*]", []),
        ("$.source..x", []),
    ],
)
def test_a_jsonpath_selects_values(text, value):
    assert compile_jsonpath(text, ROOTS).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    "text", ["$.event.nope", "$.event.properties.name[0]", "$.session.id", "$.event.properties.items[9]"]
)
def test_a_path_without_wildcards_and_without_a_value_is_absent(text):
    with pytest.raises(Absent) as absent:
        compile_jsonpath(text, ROOTS).evaluate(SCOPE)
    assert absent.value.path == text


def test_a_jsonpath_reads_the_part_before_its_first_wildcard():
    assert compile_jsonpath("$.event.items[0].tags[*].x", ROOTS).reads == (
        Read(("event", "items", "0", "tags"), 0, 26, True),
    )
    assert compile_jsonpath("$.event.type", ROOTS).reads == (Read(("event", "type"), 0, 12, False),)


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("$.", "H207", 2),
        ("$.event.", "H207", 8),
        ("$.event.items[?(@.x > 1)]", "H207", 14),
        ("$.event.items[", "H207", 14),
        ("$.event['x", "H207", 0),
        ("$.event.x y", "H207", 10),
        ("$.event.`parent`", "H207", 15),
        ("$.event where x", "H207", 8),
        ("$.event.a | $.event.b", "H207", 10),
        ("$.event.a & $.event.b", "H207", 10),
        ("$.(event)", "H207", 2),
        ("$.*", "H207", 0),
        ("$..event", "H207", 0),
        ("$.event.x..y..z", "H207", 12),
        ("$.event.x[::0]", "H207", 0),
        ("$.evnt.x", "H202", 2),
        ("$.event" + ".x" * 60, "H208", 105),
        ("$.event." + "x" * 2000, "H208", 1024),
    ],
)
def test_a_bad_jsonpath_is_refused_with_its_position(text, code, offset):
    with pytest.raises(ProblemError) as error:
        compile_jsonpath(text, ROOTS)
    assert (error.value.problem.code, error.value.problem.offset) == (code, offset)


def test_a_selection_that_is_too_large_fails():
    for text in ("$.event..x", "$.event[*][*]"):
        with pytest.raises(Unfit):
            compile_jsonpath(text, ROOTS).evaluate({"event": [[0] * 101] * 101})


def test_deep_data_is_walked_without_recursion():
    deep: object = {"x": 1}
    for _ in range(4000):
        deep = [deep]
    assert compile_jsonpath("$.event..x", ROOTS).evaluate({"event": deep}) == [1]


_parts = st.lists(
    st.sampled_from([".a", ".b", "['c']", "[0]", "[-1]", "[*]", ".*", "[0:2]", "['a','b']", "[0,1]"]), max_size=4
)


@given(_parts, _parts, st.booleans(), json_data)
def test_a_jsonpath_selects_the_same_values_as_jsonpath_ng(before, after, down, data):
    below = f"..a{''.join(after)}" if down else "".join(after)
    text = f"$.event{''.join(before)}{below}"
    try:
        selected = compile_jsonpath(text, ROOTS).evaluate({"event": data})
    except Absent:
        selected = []
        single = True
    else:
        single = not compile_jsonpath(text, ROOTS).reads[0].handled
        selected = [selected] if single else selected
    expected = [match.value for match in jsonpath_ng.parse(text).find({"event": data})]
    assert repr(selected) == repr(expected)


@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from([".", "event", "x", "[", "]", "*", "'", "0", ":", "..", "@", "\\"])).map("".join)
)
def test_any_text_is_a_jsonpath_or_refused(text):
    text = "$." + text
    try:
        compile_jsonpath(text, ROOTS)
    except ProblemError as error:
        problem = error.problem
    else:
        return
    assert 0 <= problem.offset <= len(text)
