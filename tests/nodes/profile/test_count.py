import pytest

from engine.language.expression import compile_condition
from engine.profile.operations import Count
from nodes.profile.count import ProfileCount
from tests.nodes.build import NOW, person, seen


@pytest.mark.parametrize(("counters", "counts"), [
    pytest.param("orders", [Count("orders", 1, NOW)], id="one"),
    pytest.param(("orders", "visits"), [Count("orders", 1, NOW), Count("visits", 1, NOW)], id="several"),
    pytest.param({"orders": 1, "revenue": 49.9}, [Count("orders", 1, NOW), Count("revenue", 49.9, NOW)], id="amounts"),
    pytest.param({"returns": -1}, [Count("returns", -1, NOW)], id="down"),
    pytest.param({"orders": 0}, [Count("orders", 0, NOW)], id="nothing"),
])  # fmt: skip
def test_it_counts_at_the_time_of_the_event(counters, counts):
    outcome = ProfileCount(counters=counters).run(seen(person()))
    assert (outcome.port, list(outcome.effects)) == ("done", counts)


@pytest.mark.parametrize("by", [float("nan"), float("inf")])
def test_what_is_no_number_to_count_leaves_by_failed(by):
    outcome = ProfileCount(counters={"orders": by}).run(seen(person()))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "orders" in outcome.reason


def test_without_a_profile_nothing_is_counted():
    assert ProfileCount(counters="orders").run(seen()).port == "failed"


def test_a_condition_asks_for_what_was_counted():
    assert compile_condition("counted('orders', '1d') == 0").test({"profile": {"counters": {}}, "now": NOW})
