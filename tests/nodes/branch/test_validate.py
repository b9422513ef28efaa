import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.branch.validate import MAX_ERRORS, Validate
from tests.nodes.build import node_context

ORDER = {
    "type": "object",
    "required": ["order_id"],
    "properties": {
        "total": {"type": "number", "minimum": 0},
        "email": {"format": "email"},
        "code": {"pattern": "^[A-Z]+$"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
    },
    "$defs": {"item": {"type": "object", "required": ["sku"]}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
)


def checked(value, schema=ORDER):
    return Validate(value=value, schema=schema).run(node_context())


@pytest.mark.parametrize("value", [
    {"order_id": "o-1"}, {"order_id": "o-1", "total": 0, "email": "a@b.de", "code": "AB", "items": [{"sku": 1}]},
])  # fmt: skip
def test_a_valid_value_leaves_by_valid(value):
    assert (checked(value).port, checked(value).out) == ("valid", {"errors": [], "count": 0})


@pytest.mark.parametrize(("value", "path", "keyword"), [
    ({}, "", "required"), ([], "", "type"), ({"order_id": 1, "total": -1}, "total", "minimum"),
    ({"order_id": 1, "items": [{"sku": 1}, {}]}, "items[1]", "required"),
    ({"order_id": 1, "email": "ann"}, "email", "format"), ({"order_id": 1, "code": "ab"}, "code", "pattern"),
])  # fmt: skip
def test_each_error_has_its_path_and_keyword(value, path, keyword):
    outcome = checked(value)
    assert outcome.port == "invalid"
    (error,) = outcome.out["errors"]
    assert (error["path"], error["keyword"], outcome.out["count"]) == (path, keyword, 1)
    assert error["message"] in outcome.reason


def test_messages_do_not_repeat_the_data():
    assert "secret" not in str(checked({"order_id": 1, "email": "secret"}).out)


def test_the_output_lists_a_bounded_number_of_errors():
    outcome = checked({"order_id": 1, "items": [{}] * 1000})
    assert (len(outcome.out["errors"]), outcome.out["count"]) == (MAX_ERRORS, MAX_ERRORS + 1)
    assert all(len(error["message"]) <= 201 for error in checked({"a" * 5000: 1}, {"additionalProperties": False}).out["errors"])  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(("schema", "word"), [
    ({"type": "objet"}, "no JSON Schema"), ({"$ref": "https://example.com/x.json"}, "none is fetched"),
    ({"$ref": "file:///etc/passwd"}, "none is fetched"), ({"$ref": "#/$defs/x"}, "no JSON Schema"),
    ({"properties": {"a": {"pattern": "(?=a)"}}}, "no JSON Schema"), ({"format": "emial"}, "emial"),
    ({"$schema": "https://example.com/x"}, "no JSON Schema"), ({"enum": ["x" * 70_000]}, "65,536"),
])  # fmt: skip
def test_a_schema_that_cannot_be_used_is_an_error_with_its_place(schema, word):
    (problem,) = Validate.own_problems({"schema": schema})
    assert (problem.code, problem.path[0]) == ("H114", "schema")
    assert word in problem.message


def test_an_older_draft_is_used_where_the_schema_names_it():
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True}
    assert list(Validate.own_problems({"schema": schema})) == []
    assert checked(1, schema).port == "invalid"


@given(JSON)
def test_any_value_is_valid_invalid_or_fails(value):
    assert checked(value).port in {"valid", "invalid", "failed"}


def test_patterns_run_in_linear_time():
    begun = time.process_time()
    assert checked("a" * 60_000 + "!", {"pattern": "^(a+)+$"}).port == "invalid"
    assert time.process_time() - begun < 3


def test_a_value_that_nests_too_deep_leaves_by_failed():
    value: list[object] = []
    for _ in range(1000):
        value = [value]
    assert checked(value).port == "failed"


@pytest.mark.parametrize("items", [[1] * 50_000, [[1] * 5_000] * 20, [{"a": 1}] * 30_000])
def test_a_large_value_that_is_not_valid_takes_no_long_time(items):
    inner = {"anyOf": [{"type": "string"}, {"type": "object", "required": ["b"]}]}
    begun = time.process_time()
    outcome = checked(items, {"anyOf": [{"items": inner}, {"items": {"type": "string"}}]})
    assert time.process_time() - begun < 5
    assert (outcome.port, outcome.out["count"]) == ("invalid", 1)
    assert "has more than 10,000 parts" in outcome.out["errors"][0]["message"]


def test_errors_of_a_value_with_many_parts_have_their_paths():
    outcome = checked({"order_id": 1, "items": [{"sku": 1}, {"a/b": 1}] * 1_500})
    first = {"path": "items[1]", "keyword": "required", "message": "the value does not meet `required`"}
    assert (outcome.out["errors"][0], outcome.out["count"]) == (first, MAX_ERRORS + 1)
