"""The quick look at a JSON text finds every number that cannot be kept, and hardly ever looks closer at other texts."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.tracking.intake.data_limits import MAX_DIGITS, first_fault_in
from engine.tracking.intake.payload import suspicious

digits = st.integers(1, 40) | st.integers(MAX_DIGITS - 2, MAX_DIGITS + 2)
numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.builds(lambda first, length: str(first) * length, st.integers(1, 9), digits),
    st.sampled_from(["", ".5", ".25", "." + "123456789" * 3]),
    st.sampled_from(["", "e5", "E+3", "e-5", "e-310", "E-0999"]),
)
spaces = st.sampled_from(["", " ", "\n\t "])


@given(
    numbers,
    spaces,
    st.sampled_from(
        [
            '{"a":%s%s}',
            '{"i":"1700000000123456","j":["1700000000123456"],"a":%s%s}',
            '{"a":{"b":[1,%s%s]}}',
            "%s%s",
            "[%s%s, 2]",
            '["x",%s%s]',
        ]
    ),
)
@example("0.1e-310", "", '{"a":%s%s}')
def test_a_text_with_a_number_that_cannot_be_kept_is_suspicious(number: str, space: str, form: str) -> None:
    raw = (form % (space, number)).encode()
    if first_fault_in(raw, "") is not None:
        assert suspicious(raw)


@pytest.mark.parametrize("value", [
    {"id": "1700000000123456-00000001-000123"}, {"order": 720182990123456789}, {"at": 1714564800.123, "n": -19.99},
    ["4e-9", "00000000-0000-4000-8000-000000000001"], {"card": "4000 0000 0000 0000", "v": "1.000000000000000000"},
])  # fmt: skip
def test_ordinary_ids_and_numbers_are_not_suspicious(value: object) -> None:
    assert not suspicious(json.dumps(value).encode())
