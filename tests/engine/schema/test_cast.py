from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.schema.cast import LEFT_OUT, cast
from engine.schema.infer import inferred_type
from engine.schema.value_type import TYPES

NO = LEFT_OUT

# what comes: null, true, number, text that spells one, other text, [], {}, array, object
COLUMNS: list[Any] = [None, True, 12.7, " 12.7 ", "blue", [], {}, ["a", 1], {"a": 1}]
TABLE: dict[str, list[Any]] = {
    "STRING": [None, "true", "12.7", " 12.7 ", "blue", None, None, NO, NO],
    "BOOLEAN": [None, True, NO, NO, NO, None, None, NO, NO],
    "LONG": [None, NO, 12, 12, NO, None, None, NO, NO],
    "DOUBLE": [None, NO, 12.7, 12.7, NO, None, None, NO, NO],
    "DATE": [None, NO, NO, NO, NO, None, None, NO, NO],
    "TIMESTAMP": [None, NO, "1970-01-01T00:00:00.012Z", NO, NO, None, None, NO, NO],
    "ARRAY_STRING": [None, ["true"], ["12.7"], [" 12.7 "], ["blue"], [], [], ["a", "1"], NO],
    "ARRAY_DOUBLE": [None, NO, [12.7], [12.7], NO, [], [], [1], NO],
    "MAP_STRING": [None, NO, NO, NO, NO, {}, {}, NO, {"a": "1"}],
    "MAP_BOOLEAN": [None, NO, NO, NO, NO, {}, {}, NO, {}],
}
CELLS = [(type, value, cell) for type, row in TABLE.items() for value, cell in zip(COLUMNS, row, strict=True)]


@pytest.mark.parametrize(("type", "value", "expected"), CELLS)
def test_a_value_is_cast_as_the_table_says(type: str, value: Any, expected: Any) -> None:
    found = cast(value, TYPES[type])
    assert found.value is expected if expected is NO else found.value == expected
    assert found.reason or expected is not NO


@pytest.mark.parametrize(
    ("type", "value", "expected"),
    [
        ("STRING", "x" * 5000, "x" * 5000),
        ("STRING", 12.0, "12.0"),
        ("STRING", 10**30, str(10**30)),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", "false", False),
        ("LONG", "", None),
        ("LONG", "-12.7", -12),
        ("LONG", "1e3", 1000),
        ("LONG", "9007199254740993.5", 9007199254740993),
        ("LONG", 2**63 - 1, 2**63 - 1),
        ("DOUBLE", "", None),
        ("DOUBLE", "12", 12),
        ("DOUBLE", "9007199254740993", 9007199254740993),
        ("DOUBLE", "-.5", -0.5),
        ("DOUBLE", "12345678901234567891", 12345678901234567000.0),
        ("DOUBLE", "1e3", 1000.0),
        ("DATE", "2024-02-29", "2024-02-29"),
        ("TIMESTAMP", 1_714_564_800_000, "2024-05-01T12:00:00.000Z"),
        ("TIMESTAMP", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00.000Z"),
        ("TIMESTAMP", "2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00.000Z"),
        ("TIMESTAMP", "20240501t140000z", "2024-05-01T14:00:00.000Z"),
        ("TIMESTAMP", "2024-5-1 12:00", "2024-05-01T12:00:00.000Z"),
        ("TIMESTAMP", "2024-5-1 12:00:01.25 +0100", "2024-05-01T11:00:01.250Z"),
        ("TIMESTAMP", "2024-05-01 12:00:00 Europe/Berlin", "2024-05-01T10:00:00.000Z"),
        ("ARRAY_LONG", '[1, "2", 3.5]', [1, 2, 3]),
        ("ARRAY_STRING", "[not json", ["[not json"]),
        ("ARRAY_STRING", [["a"], {"b": 1}], ['["a"]', '{"b":1}']),
        ("ARRAY_DOUBLE", [None, 1], [None, 1]),
        ("MAP_STRING", {"a": {"b": [1]}}, {"a": '{"b":[1]}'}),
        ("MAP_LONG", {"a": "1", "b": None}, {"a": 1, "b": None}),
    ],
)
def test_a_value_that_can_be_cast_is_kept_whole(type: str, value: Any, expected: Any) -> None:
    found = cast(value, TYPES[type])
    assert (found.value, found.reason) == (expected, "")
    assert repr(found.value) == repr(expected)  # 1 is not True and not 1.0


@pytest.mark.parametrize(
    ("type", "value", "reason"),
    [
        ("BOOLEAN", 1, "a number"),
        ("BOOLEAN", "yes", "a text other than true and false"),
        ("LONG", True, "the value true"),
        ("LONG", "12a", "a text that spells no number"),
        ("LONG", "1_000", "a text that spells no number"),
        ("LONG", "٣", "a text that spells no number"),
        ("LONG", "9" * 65, "a text that spells no number"),
        ("LONG", 2**63, "a number beyond 64 bits"),
        ("LONG", "1e300", "a number beyond 64 bits"),
        ("DOUBLE", "nan", "a text that spells no number"),
        ("DOUBLE", "Infinity", "a text that spells no number"),
        ("DOUBLE", "1e999", "a number beyond the largest one, 1.8e308"),
        ("DOUBLE", 10**400, "a number beyond the largest one, 1.8e308"),
        ("DATE", "2024-02-30", "a text that is no date such as 2024-05-31"),
        ("DATE", "2024-05-01T12:00:00Z", "a text that is no date such as 2024-05-31"),
        ("DATE", 20240501, "a number"),
        ("TIMESTAMP", "2024-05-01", "a text that is no time such as 2024-05-31T12:00:00Z"),
        ("TIMESTAMP", "1480457838042", "a text that is no time such as 2024-05-31T12:00:00Z"),
        ("TIMESTAMP", "2024-05-01 12:00 Nowhere/None", "a text that is no time such as 2024-05-31T12:00:00Z"),
        ("TIMESTAMP", 10**18, "a time outside the years 1 to 9999"),
        ("STRING", [1], "an array"),
        ("STRING", {"a": 1}, "an object"),
        ("ARRAY_LONG", "blue", "a text that spells no number"),
        ("ARRAY_LONG", {"a": 1}, "an object"),
        ("MAP_LONG", [1], "an array"),
        ("MAP_LONG", "x", "a text"),
    ],
)
def test_a_value_that_cannot_be_cast_is_left_out_with_the_reason(type: str, value: Any, reason: str) -> None:
    found = cast(value, TYPES[type])
    assert (found.value, found.reason) == (LEFT_OUT, reason)


@pytest.mark.parametrize(
    ("type", "value", "expected", "reason"),
    [
        ("ARRAY_LONG", [1, "x", [2], "3"], [1, 3], "element 2: a text that spells no number, and 1 more"),
        ("ARRAY_LONG", ["x"], [], "element 1: a text that spells no number"),
        ("MAP_DOUBLE", {"a": 1, "b": {"c": 2}}, {"a": 1}, "`b`: an object"),
    ],
)
def test_parts_that_cannot_be_cast_are_left_out_with_the_reason(
    type: str, value: Any, expected: Any, reason: str
) -> None:
    found = cast(value, TYPES[type])
    assert (found.value, found.reason) == (expected, reason)


def test_a_time_without_an_offset_is_in_the_given_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert cast("2024-05-01T12:00:00", TYPES["TIMESTAMP"], berlin).value == "2024-05-01T10:00:00.000Z"


# ---- laws -----------------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?(e[0-9]{1,3})?", fullmatch=True),
    st.datetimes().map(str),
    st.datetimes().map(lambda moment: moment.date().isoformat()),
    st.sampled_from(["true", "FALSE", "", "[", '[1, "2"]', '[[1], {"a": 2}]']),
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
types = st.sampled_from(sorted(TYPES))


@given(values, types)
def test_casting_twice_is_casting_once(value: Any, type: str) -> None:
    once = cast(value, TYPES[type])
    if once.value is not LEFT_OUT:
        twice = cast(once.value, TYPES[type])
        assert (repr(twice.value), twice.reason) == (repr(once.value), "")


@given(values)
def test_a_first_value_is_never_refused_by_the_type_that_it_says(value: Any) -> None:
    type = inferred_type(value)
    assert type is None or cast(value, type).reason == ""


@given(scalars | st.lists(st.text()) | st.lists(st.booleans()) | st.dictionaries(st.text(), st.floats(-9, 9)))
def test_a_value_of_one_type_casts_to_itself(value: Any) -> None:
    type = inferred_type(value)
    assert type is None or repr(cast(value, type).value) == repr(value)


@given(values, types)
def test_a_value_is_left_out_only_with_a_reason(value: Any, type: str) -> None:
    found = cast(value, TYPES[type])
    assert found.value is not LEFT_OUT or found.reason
