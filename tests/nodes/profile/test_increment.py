from math import inf, nan

import msgspec
import pytest

from engine.profile.operations import Increment
from nodes.profile.increment import ProfileIncrement
from tests.nodes.build import person, seen


@pytest.mark.parametrize(
    ("amounts", "operations"),
    [
        pytest.param({"traits.visits": 1}, [Increment(("traits", "visits"), 1)], id="a whole number"),
        pytest.param({"traits.revenue": -9.5}, [Increment(("traits", "revenue"), -9.5)], id="a negative fraction"),
        pytest.param(
            {"traits.visits": 1, "pii.age": 2},
            [Increment(("traits", "visits"), 1), Increment(("pii", "age"), 2)],
            id="several, in order of writing",
        ),
    ],
)
def test_each_amount_is_added(amounts, operations):
    outcome = ProfileIncrement(amounts=amounts).run(seen(person()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_a_whole_number_stays_one():
    (operation,) = ProfileIncrement(amounts={"traits.visits": 1}).run(seen(person())).effects
    assert type(operation.by) is int


@pytest.mark.parametrize("amount", [inf, -inf, nan])
def test_what_is_no_finite_number_leaves_by_failed(amount):
    outcome = ProfileIncrement(amounts={"traits.visits": 1, "traits.revenue": amount}).run(seen(person()))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "`traits.revenue`" in outcome.reason


@pytest.mark.parametrize("amount", [True, "4", None, [1], {}], ids=repr)
def test_only_numbers_are_taken(amount):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amounts": {"traits.visits": amount}}, ProfileIncrement)


def test_a_run_without_a_profile_leaves_by_failed():
    assert ProfileIncrement(amounts={"traits.visits": 1}).run(seen()).reason == "no profile"
