import pytest
from msgspec import structs

from engine.language.expression import compile_condition
from engine.language.written_time import FIRST
from engine.profile.operations import Count
from nodes.profile.count import ProfileCount
from tests.nodes.build import NOW, node_context, stored_profile

DAY = 86_400_000


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


@pytest.mark.parametrize(("by", "times", "at"), [
    pytest.param(None, "received", NOW, id="when it was received"),
    pytest.param(None, "occurred", NOW - DAY, id="as the source says"),
    pytest.param("occurred", "received", NOW - DAY, id="when it occurred"),
    pytest.param("received", "occurred", NOW, id="as the node says"),
])  # fmt: skip
def test_it_counts_at_the_time_that_the_node_or_else_the_source_says(by, times, at):
    outcome = ProfileCount(counters="orders", by=by).run(context(NOW - DAY, times))
    assert outcome.effects == (Count("orders", 1, at),)


@pytest.mark.parametrize(("occurred", "at"), [
    pytest.param(NOW + 1, [NOW], id="none counts in the future"),
    pytest.param(NOW - 401 * DAY, [NOW - 401 * DAY], id="the oldest that a window can reach"),
    pytest.param(NOW - 401 * DAY - 1, [], id="an older one"),
    pytest.param(FIRST, [], id="the oldest that there is"),
])  # fmt: skip
def test_an_event_counts_within_the_reach_of_windows(occurred, at):
    outcome = ProfileCount(counters="orders", by="occurred").run(context(occurred, "received"))
    assert (outcome.port, [effect.at for effect in outcome.effects]) == ("done", at)


def context(occurred, times):
    made = node_context(stored_profile(), event={"time": occurred})
    return structs.replace(made, source={**made.source, "times": times})


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_an_amount_that_is_not_finite_leaves_by_failed(amount):
    outcome = ProfileCount(counters={"orders": amount}).run(node_context(stored_profile()))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert "orders" in outcome.reason


def test_without_a_profile_it_leaves_by_failed():
    assert ProfileCount(counters="orders").run(node_context()).port == "failed"


def test_a_condition_can_read_a_counter():
    assert compile_condition("counted('orders', '1d') == 0").test({"profile": {"counters": {}}, "now": NOW})
