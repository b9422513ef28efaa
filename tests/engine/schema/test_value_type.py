import pytest

from engine.schema.value_type import SCALARS, TYPES, ValueType, read_type, type_remedy


def test_a_type_is_a_scalar_or_an_array_or_a_map_of_one() -> None:
    assert len(TYPES) == 3 * len(SCALARS)


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_read_from_the_name_that_it_shows(name: str) -> None:
    assert str(read_type(name)) == name


@pytest.mark.parametrize("name", ["", "string", "ARRAY", "MAP_", "ARRAY_ARRAY_STRING", "INTEGER", " STRING"])
def test_another_name_is_no_type(name: str) -> None:
    assert read_type(name) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("double", "DOUBLE"),
        ("DUOBLE", "DOUBLE"),
        ("integer", "LONG"),
        ("decimal", "DOUBLE"),
        ("text", "STRING"),
        ("bool", "BOOLEAN"),
        ("datetime", "TIMESTAMP"),
        ("list", "ARRAY_STRING"),
        ("array<int>", "ARRAY_LONG"),
        ("Array<String>", "ARRAY_STRING"),
        ("number[]", "ARRAY_DOUBLE"),
        ("map<string, double>", "MAP_DOUBLE"),
        ("ARRAY_INTEGER", "ARRAY_LONG"),
        ("ARAY_STRING", "ARRAY_STRING"),
    ],
)
def test_the_remedy_names_the_type_that_was_meant(name: str, meant: str) -> None:
    assert type_remedy(name) == f"did you mean `{meant}`?"


def test_the_remedy_for_any_other_word_lists_the_types() -> None:
    assert "STRING, BOOLEAN, LONG, DOUBLE, DATE, TIMESTAMP" in type_remedy("banana")


def test_a_type_shows_its_container_first() -> None:
    assert str(ValueType("LONG", "MAP")) == "MAP_LONG"
