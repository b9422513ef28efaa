from engine.flow.ask import NoAnswer, WaitAsk, WaitReply
from nodes.run.wait import Wait
from tests.nodes.build import NOW, node_context


def test_it_asks_to_be_resumed_after_its_duration():
    assert Wait(duration=7_200_000).ask(node_context()) == WaitAsk(NOW + 7_200_000)


def test_it_goes_on_when_the_time_has_come():
    assert Wait(duration=0).answer(node_context(), WaitReply()).port == "done"


def test_a_wait_that_is_refused_leaves_by_failed_with_the_reason():
    outcome = Wait(duration=0).answer(node_context(), NoAnswer("limit", "the event has no profile"))
    assert (outcome.port, outcome.reason) == ("failed", "the event has no profile")
