"""Whole numbers of more than 53 bits: every operator is exact, or fails with a reason."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import Unfit
from engine.language.operators import ARITHMETIC
from tests.engine.language.expressions import compile_expression

ID = 720182990123456789
LONG = 10**99 + 7
EXACT = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
    "/": lambda left, right: left / right,
}


def evaluated(text: str, x: Any) -> Any:
    """The value of an expression about `event.x`."""
    return compile_expression(text).evaluate({"event": {"x": x}})


@pytest.mark.parametrize(
    ("text", "x", "value"),
    [
        ("event.x", LONG, LONG),
        ("event.x == 720182990123456789", ID, True),
        ("event.x == 720182990123456788", ID, False),
        ("event.x > 720182990123456788", ID, True),
        ("event.x < 7.2e17", ID, False),
        ("event.x in [720182990123456788, 720182990123456789]", ID, True),
        ("event.x + 1", ID, ID + 1),
        ("event.x % 1000", LONG, 7),
        ("event.x // 1000000", ID, 720182990123),
        ("event.x / 100", 720182990123456700, 7201829901234567),
        ("event.x ~ ''", LONG, str(LONG)),
        ("event.x | string", -LONG, str(-LONG)),
        ("event.x | json", [LONG], f"[{LONG}]"),
        ("event.x | int", LONG, LONG),
        ("event.x | int", str(LONG)[-40:].lstrip("0"), 7),
        ("event.x | int", "720182990123456789", ID),
        ("event.x | abs", -LONG, LONG),
        ("event.x | round", LONG, LONG),
        ("event.x | float", 2**60, float(2**60)),
        ("event.x | sum", [ID, 1], ID + 1),
        ("event.x | max", [ID, 0.5, ID - 1], ID),
        ("event.x | sort", [ID, ID - 1, 0.5], [0.5, ID - 1, ID]),
        ("event.x | unique", [ID, ID - 1, ID], [ID, ID - 1]),
        ("event.x | join(' ')", [ID, LONG], f"{ID} {LONG}"),
    ],
)
def test_a_large_whole_number_is_calculated_exactly(text: str, x: Any, value: Any) -> None:
    result = evaluated(text, x)
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "x", "reason"),
    [
        ("event.x + 0.5", ID, "`+` of a fraction and a whole number of more than 53 bits would not be exact"),
        ("1.5 * event.x", ID, "`*` of a fraction"),
        ("event.x / 10", ID, "`/` of a whole number of more than 53 bits would not be exact: use `//`"),
        ("event.x / 10.0", ID, "`/` of a fraction"),
        ("event.x | float", ID, "`float` of a whole number of more than 53 bits would not be exact"),
        ("event.x | sum", [ID, 0.5], "`sum` of a fraction"),
        ("event.x + 1", LONG, "the result of `+` is too large"),
        ("event.x * 100", ID, "the result of `*` is too large"),
        ("event.x | float", LONG, "the result of `float` is too large"),
    ],
)
def test_what_would_be_rounded_fails_with_a_reason(text: str, x: Any, reason: str) -> None:
    with pytest.raises(Unfit) as unfit:
        evaluated(text, x)
    assert unfit.value.reason.startswith(reason)


def fraction(number: float) -> Fraction:
    """The number that a literal stands for, a decimal."""
    return Fraction(repr(number))


large = st.integers(2**53 + 1, 10**40) | st.integers(-(10**40), -(2**53) - 1)
numbers = st.one_of(large, st.integers(-1000, 1000), st.floats(-1e9, 1e9, allow_nan=False))


@given(st.sampled_from(sorted(EXACT)), large, numbers, st.booleans())
def test_an_operator_on_a_large_whole_number_is_exact_or_fails(
    sign: str, number: int, other: float, swapped: bool
) -> None:
    left, right = (other, number) if swapped else (number, other)
    try:
        result = ARITHMETIC[sign](left, right)
    except Unfit:
        return
    assert fraction(result) == EXACT[sign](fraction(left), fraction(right))
