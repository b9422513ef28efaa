import pytest

from engine.language.expression import compile_condition
from engine.profile.operations import Count
from nodes.profile.count import ProfileCount
from tests.nodes.build import NOW, node_context, stored_profile


@pytest.mark.parametrize(("counters", "counts"), [
    pytest.param("orders", [Count("orders", 1, NOW)], id="one counter"),
    pytest.param(("orders", "visits"), [Count("orders", 1, NOW), Count("visits", 1, NOW)], id="several counters"),
    pytest.param({"orders": 1, "revenue": 49.9}, [Count("orders", 1, NOW), Count("revenue", 49.9, NOW)], id="amounts"),
    pytest.param({"returns": -1}, [Count("returns", -1, NOW)], id="a negative amount"),
    pytest.param({"orders": 0}, [Count("orders", 0, NOW)], id="zero"),
])  # fmt: skip
def test_it_counts_at_the_time_of_the_event(counters, counts):
    outcome = ProfileCount(counters=counters).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", counts)


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_an_amount_that_is_not_finite_leaves_by_failed(amount):
    outcome = ProfileCount(counters={"orders": amount}).run(node_context(stored_profile()))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "orders" in outcome.reason


def test_without_a_profile_it_leaves_by_failed():
    assert ProfileCount(counters="orders").run(node_context()).port == "failed"


def test_a_condition_can_read_a_counter():
    assert compile_condition("counted('orders', '1d') == 0").test({"profile": {"counters": {}}, "now": NOW})
