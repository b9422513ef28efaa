from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import ABSENT, Unfit
from engine.language.draw import MAX_BUCKETS, bucket, random_choice
from engine.language.expression import compile_condition
from engine.language.hidden import DRAW
from engine.problem import ProblemError
from tests.engine.language.expressions import compile_expression

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(("value", "n", "salt", "expected"), [
    ("ann", 100, "", 92), ("ann", 100, "red-button", 50), ("ann", 1000, "red-button", 501), (42, 10, "", 3),
    ("42", 10, "", 3), ("", 2, "", 1), ("ü", 2, "", 0), ("ann", 1, "", 0),
])  # fmt: skip
def test_a_bucket_never_changes(value, n, salt, expected):
    """These numbers are kept by those who use Headrace: they must be the same in every version."""
    assert bucket(value, n, salt) == expected


@given(TEXTS, st.integers(1, MAX_BUCKETS), TEXTS)
def test_the_formula_is_that_of_the_documentation(value, n, salt):
    h = int.from_bytes(sha256(f"{salt}:{value}".encode()).digest()[:8], "big")
    assert bucket(value, n, salt) == h * n // 2**64
    assert 0 <= bucket(value, n, salt) < n


@given(TEXTS, st.integers(1, 1000), st.integers(1, 1000))
def test_buckets_that_are_divided_stay_together(value, n, parts):
    assert bucket(value, n * parts) // parts == bucket(value, n)


@pytest.mark.parametrize("salt", ["", "red-button"])
@pytest.mark.parametrize("n", [2, 10, 100])
def test_buckets_are_evenly_filled(n, salt):
    counts = Counter(bucket(f"profile-{i}", n, salt) for i in range(100_000))
    expected = 100_000 / n
    chi_squared = sum((counts[i] - expected) ** 2 / expected for i in range(n))
    assert chi_squared < n - 1 + 5 * (2 * n) ** 0.5


def test_another_salt_makes_independent_buckets():
    both = Counter((bucket(i, 2, "a"), bucket(i, 2, "b")) for i in range(40_000))
    assert all(abs(count - 10_000) < 500 for count in both.values())


@pytest.mark.parametrize("arguments", [
    (1.5, 2), (True, 2), ([], 2), ("a", 0), ("a", MAX_BUCKETS + 1), ("a", 2.0), ("a", "2"), ("a", 2, 1),
])  # fmt: skip
def test_what_cannot_be_put_into_a_bucket_is_unfit(arguments):
    with pytest.raises(Unfit):
        bucket(*arguments)


def test_a_draw_depends_on_the_node_and_the_name_alone():
    def drawn(text: str, draw: str) -> object:
        return compile_expression(text).evaluate({DRAW: draw})

    items = "[1, 2, 3, 4, 5, 6, 7, 8]"
    assert len({drawn(f"random_choice({items})", "a") for _ in range(9)}) == 1
    assert {drawn(f"random_choice({items})", str(i)) for i in range(200)} == set(range(1, 9))
    assert {drawn(f"random_choice({items}, '{i}')", "a") for i in range(200)} == set(range(1, 9))


def test_a_draw_from_an_empty_list_is_absent():
    assert random_choice("a", []) is ABSENT
    with pytest.raises(Unfit):
        random_choice("a", "abc")


def test_nothing_is_drawn_outside_nodes():
    with pytest.raises(Unfit, match="nodes only"):
        compile_expression("random_choice([1])").evaluate({})


def test_what_a_draw_depends_on_is_no_value_that_the_author_reads():
    values: dict[str, object] = {}
    compile_expression("random_choice(['a'])").note({DRAW: "secret"}, values)
    assert values == {}


def test_a_segment_cannot_draw():
    with pytest.raises(ProblemError) as raised:
        compile_condition("random_choice([1, 2]) == 1", frozenset({"profile", "now"}))
    assert "in a node" in raised.value.problem.help
