from typing import Any

import pytest

from engine.schema.infer import Evidence, inferred_type


@pytest.mark.parametrize(
    ("value", "type"),
    [
        ("blue", "STRING"),
        ("", "STRING"),
        ("2020-01-01", "STRING"),
        ("2020-01-01T10:00:00Z", "STRING"),
        ("1480457838", "STRING"),
        (True, "BOOLEAN"),
        (1, "DOUBLE"),
        (1.5, "DOUBLE"),
        (["a"], "ARRAY_STRING"),
        ([1, 2.5], "ARRAY_DOUBLE"),
        ([None, False], "ARRAY_BOOLEAN"),
        ([1, "a"], "ARRAY_STRING"),
        ([{"sku": "a"}], "ARRAY_STRING"),
        ([[1], [2]], "ARRAY_STRING"),
        ({"a": 1}, "MAP_DOUBLE"),
        ({"a": 1, "b": "x"}, "MAP_STRING"),
        ({"a": {"b": 1}}, "MAP_STRING"),
        ({"a": None, "b": True}, "MAP_BOOLEAN"),
    ],
)
def test_the_first_value_of_a_field_says_its_type(value: Any, type: str) -> None:
    assert str(inferred_type(value)) == type


@pytest.mark.parametrize("value", [None, [], {}, [None], {"a": None}])
def test_a_value_without_any_content_says_no_type(value: Any) -> None:
    assert inferred_type(value) is None


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([1, 2.5], "DOUBLE"),
        ([1, "2"], "DOUBLE"),
        (["2", 1], "DOUBLE"),
        ([1, "two"], "STRING"),
        (["01234", "56789"], "STRING"),
        ([True, "false"], "BOOLEAN"),
        ([True, 1], "STRING"),
        (["2024-05-01", "2024-05-02"], "DATE"),
        (["2024-05-01", "soon"], "STRING"),
        (["2024-05-01T12:00:00Z", "2024-05-01 12:00:00"], "TIMESTAMP"),
        (["a", ["b", "c"]], "ARRAY_STRING"),
        ([1, [2, 3]], "ARRAY_DOUBLE"),
        ([[1], ["a"]], "ARRAY_STRING"),
        ([{"a": 1}, {"b": "x"}], "MAP_STRING"),
        ([None, [], 5, {}], "DOUBLE"),
    ],
)
def test_the_type_of_many_values_is_one_to_which_each_can_be_cast(values: list[Any], type: str) -> None:
    evidence = Evidence()
    for value in values:
        evidence.add(value)
    assert str(evidence.common_type()) == type


@pytest.mark.parametrize("values", [[], [None, []], [{"a": 1}, "x"], [{"a": 1}, [1]]])
def test_values_of_which_none_says_a_type_or_that_have_none_in_common_have_no_type(values: list[Any]) -> None:
    evidence = Evidence()
    for value in values:
        evidence.add(value)
    assert evidence.common_type() is None
