"""What a flow test takes for the same."""

from typing import Any

import pytest

from cli.testing.compare import differences
from engine.profile.document import Members


@pytest.mark.parametrize(("wanted", "found", "same"), [
    pytest.param(["b", "a"], Members(("a", "b")), True, id="a set in another order"),
    pytest.param(["a", "a"], Members(("a", "b")), False, id="a set with a member missing"),
    pytest.param(["b", "a"], ["a", "b"], False, id="a list in another order"),
    pytest.param([1], Members((True,)), False, id="a number and a truth in a set"),
    pytest.param([True], Members((1,)), False, id="a truth and a number in a set"),
    pytest.param([1], [True], False, id="a number and a truth in a list"),
    pytest.param([2], Members((2.0,)), True, id="the same number written otherwise"),
])  # fmt: skip
def test_sets_are_compared_without_order_and_all_values_with_their_kind(wanted: Any, found: Any, same: bool) -> None:
    assert (not list(differences(wanted, found))) is same
