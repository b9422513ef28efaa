"""The comparison of expected with actual values in a flow test."""

from typing import Any

import pytest

from cli.testing.compare import differences
from engine.profile.document import Members


@pytest.mark.parametrize(("expected", "actual", "equal"), [
    pytest.param(["b", "a"], Members(("a", "b")), True, id="a set in another order"),
    pytest.param(["a", "a"], Members(("a", "b")), False, id="a set with a member missing"),
    pytest.param(["b", "a"], ["a", "b"], False, id="a list in another order"),
    pytest.param([1], Members((True,)), False, id="a number and a boolean in a set"),
    pytest.param([True], Members((1,)), False, id="a boolean and a number in a set"),
    pytest.param([1], [True], False, id="a number and a boolean in a list"),
    pytest.param([2], Members((2.0,)), True, id="an integer and an equal float"),
])  # fmt: skip
def test_sets_are_compared_without_order_and_values_with_their_type(expected: Any, actual: Any, equal: bool) -> None:
    assert (not list(differences(expected, actual))) is equal
