"""Arithmetic on decimals, compared with the fractions that their texts spell."""

from fractions import Fraction
from math import isinf
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.language.absent import Unfit
from engine.language.decimals import Exact, decimal_of, exact_difference, exact_sum, nearest_number, plus, sum_of
from engine.language.operators import ARITHMETIC
from tests.engine.language.expressions import compile_expression

EVENT = {"price": 19.99, "paid": [19.99, 19.99, 0.05, 19.99, 19.99, 19.99], "large": 1e300, "small": 1e-300}

floats = st.floats(allow_nan=False, allow_infinity=False)
amounts = st.one_of(st.integers(-(10**40), 10**40), floats)
prices = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)


def fraction(number: Exact) -> Fraction:
    return Fraction(decimal_of(number))


@pytest.mark.parametrize(("text", "result"), [
    ("0.1 + 0.2", "0.3"),
    ("0.1 + 0.2 == 0.3", "true"),
    ("0.3 - 0.1", "0.2"),
    ("1.1 * 3", "3.3"),
    ("event.price * 5 + 0.05", "100"),
    ("event.price * 100", "1999"),
    ("100 - event.price * 5 == 0.05", "true"),
    ("0.3 / 0.1", "3.0"),
    ("0.3 // 0.1", "3"),
    ("0.3 % 0.1", "0"),
    ("-0.3 % 0.2", "0.1"),
    ("0.3 % -0.2", "-0.1"),
    ("-7.5 // 2", "-4"),
    ("6 / 3", "2.0"),
    ("1.5 + 1.5", "3"),
    ("event.paid | sum", "100"),
    ("event.paid | sum >= 100", "true"),
    ("[0.1, 0.2] | sum", "0.3"),
    ("event.large + 0.5", "1e+300"),
    ("event.large * 2.0", "2e+300"),
    ("event.large / 2", "5e+299"),
    ("event.small * event.small", "0.0"),
    ("9007199254740992.0 + 1", "9007199254740993"),
    ("9007199254740993 * 2.0", "18014398509481986"),
    ("9007199254740993 / 0.5", "18014398509481986"),
    ("[0.5, 9007199254740993, 0.5] | sum", "9007199254740994"),
])  # fmt: skip
def test_decimals_are_calculated_as_they_are_written(text: str, result: str) -> None:
    assert compile_expression(f"({text}) ~ ''").evaluate({"event": EVENT}) == result


@pytest.mark.parametrize("text", ["1.5 / 0", "1.5 // 0", "0.0 % 0", "event.large * event.large", "event.large / 1e-30"])
def test_a_division_by_zero_and_a_result_that_is_too_large_fail(text: str) -> None:
    with pytest.raises(Unfit):
        compile_expression(text).evaluate({"event": EVENT})


@pytest.mark.parametrize("text", [
    "9007199254740993 + 0.5",
    "9007199254740993 * 1.1",
    "9007199254740993 / 3.5",
    "9007199254740993 % 0.7 + 0.1 + event.exact + 0.3",
    "[0.5, 9007199254740993] | sum",
])  # fmt: skip
def test_the_digits_of_a_large_whole_number_are_never_lost(text: str) -> None:
    with pytest.raises(Unfit, match="of a fraction and a whole number of more than 53 bits would not be exact"):
        compile_expression(text).evaluate({"event": {"exact": 9007199254740993}})


@given(floats, st.integers(1, 5))
def test_a_number_beyond_1300_digits_is_too_large_for_decimals(number: float, times: int) -> None:
    with pytest.raises(ArithmeticError):
        exact_sum([number, 10 ** (1_300 * times), 0.5])


@given(st.lists(amounts, max_size=12), st.randoms(use_true_random=False))
def test_a_sum_is_exact_in_any_order_and_grouping(terms: list[int | float], random: Random) -> None:
    expected = sum(map(fraction, terms), Fraction(0))
    groups: list[Exact] = list(terms)
    while len(groups) > 1:
        left, right = groups.pop(random.randrange(len(groups))), groups.pop(random.randrange(len(groups)))
        groups.append(exact_sum([left, right]))
    whole = exact_sum(terms)
    assert fraction(whole) == expected
    assert not terms or (type(whole), whole) == (type(exact_sum(groups)), exact_sum(groups))
    assert exact_sum([exact_difference(whole, sum_) for sum_ in groups]) == 0


@given(st.lists(amounts, max_size=12))
def test_a_sum_is_a_number_where_a_number_has_its_digits(terms: list[int | float]) -> None:
    total = exact_sum(terms)
    if isinstance(total, str):
        assert isinf(float(total)) or fraction(float(total)) != fraction(total)
    else:
        assert nearest_number(total) is total
        assert isinstance(total, int) is (fraction(total).denominator == 1)


@given(
    st.one_of(amounts, prices, st.floats(-1e11, 1e11), st.integers(-(10**15), 10**15).map(lambda number: number / 1e5)),
    st.one_of(amounts, prices, st.floats(-1e11, 1e11), st.integers(-(10**15), 10**15).map(lambda number: number / 1e4)),
)
def test_the_fast_sum_of_two_is_the_exact_one(left: float, right: float) -> None:
    fast, exact = plus(left, right), exact_sum([left, right])
    assert (type(fast), fast) == (type(exact), exact)


@given(st.lists(prices, max_size=50))
def test_the_sum_of_a_list_of_prices_has_two_decimals(paid: list[float]) -> None:
    cents = sum(round(price * 100) for price in paid)
    assert sum_of(paid) == cents / 100


@given(st.sampled_from("+-*/"), amounts, amounts)
def test_a_result_is_the_nearest_number_unless_a_large_whole_number_would_lose_digits(
    sign: str, left: float, right: float
) -> None:
    a, b = fraction(left), fraction(right)
    assume((sign != "/" or b) and float in (type(left), type(right)))
    exact = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else a}[sign]
    assume(abs(exact) < 2**63)
    nearest = int(exact) if exact.denominator == 1 else float(exact)
    large = any(type(number) is int and abs(number) > 2**53 for number in (left, right))
    if large and fraction(nearest) != exact:
        with pytest.raises(Unfit, match="would not be exact"):
            ARITHMETIC[sign](left, right)
    else:
        assert ARITHMETIC[sign](left, right) == nearest


@given(prices, prices.filter(bool))
def test_a_floor_division_and_its_remainder_make_the_number_again(left: float, right: float) -> None:
    quotient, rest = ARITHMETIC["//"](left, right), ARITHMETIC["%"](left, right)
    assert fraction(quotient) * fraction(right) + fraction(rest) == fraction(left)
    assert abs(rest) < abs(right)
    assert not rest or (rest < 0) is (right < 0)
