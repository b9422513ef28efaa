from math import inf, nan

import msgspec
import pytest

from engine.profile.operations import Increment
from nodes.profile.increment import ProfileIncrement
from tests.nodes.build import node_context, stored_profile


@pytest.mark.parametrize(
    ("amounts", "operations"),
    [
        pytest.param({"traits.visits": 1}, [Increment(("traits", "visits"), 1)], id="a whole number"),
        pytest.param({"traits.revenue": -9.5}, [Increment(("traits", "revenue"), -9.5)], id="a negative fraction"),
        pytest.param(
            {"traits.visits": 1, "pii.age": 2},
            [Increment(("traits", "visits"), 1), Increment(("pii", "age"), 2)],
            id="several in the order of the file",
        ),
    ],
)
def test_each_amount_is_added(amounts, operations):
    outcome = ProfileIncrement(amounts=amounts).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_a_whole_number_stays_an_integer():
    (operation,) = ProfileIncrement(amounts={"traits.visits": 1}).run(node_context(stored_profile())).effects
    assert type(operation.by) is int


@pytest.mark.parametrize("amount", [inf, -inf, nan])
def test_an_amount_that_is_not_finite_leaves_by_failed(amount):
    outcome = ProfileIncrement(amounts={"traits.visits": 1, "traits.revenue": amount}).run(
        node_context(stored_profile())
    )
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "`traits.revenue`" in outcome.reason


@pytest.mark.parametrize("amount", [True, "4", None, [1], {}], ids=repr)
def test_only_numbers_are_amounts(amount):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amounts": {"traits.visits": amount}}, ProfileIncrement)


def test_without_a_profile_it_leaves_by_failed():
    assert ProfileIncrement(amounts={"traits.visits": 1}).run(node_context()).reason == "no profile"
