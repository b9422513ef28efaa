from typing import Any

import pytest

from engine.schema.infer import inferred_type


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
