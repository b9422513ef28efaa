import pytest

from engine.flow.ask import NoAnswer, WaitAsk, WaitReply
from nodes.wait.for_ import WaitFor
from tests.nodes.build import node_context

AWAITED = {"id": "e-9", "type": "order-completed", "properties": {"cart": 7}}


@pytest.mark.parametrize(
    ("event", "patterns"), [("order-completed", ("order-completed",)), (["order-*", "left"], ("order-*", "left"))]
)
def test_it_asks_for_its_events_and_leaves_the_time_to_the_timeout(event, patterns):
    assert WaitFor(event=event).ask(node_context()) == WaitAsk(on=patterns)


def test_the_event_is_the_output():
    outcome = WaitFor(event="order-completed").answer(node_context(), WaitReply(AWAITED))
    assert (outcome.port, outcome.out) == ("arrived", AWAITED)


def test_without_an_event_it_leaves_by_timeout():
    outcome = WaitFor(event="order-completed").answer(node_context(), WaitReply())
    assert (outcome.port, outcome.out) == ("timeout", None)


def test_a_wait_that_is_refused_leaves_by_failed_with_the_reason():
    outcome = WaitFor(event="a").answer(node_context(), NoAnswer("limit", "too many waits"))
    assert (outcome.port, outcome.reason) == ("failed", "too many waits")
