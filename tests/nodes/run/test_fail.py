from nodes.run.fail import Fail
from tests.nodes.build import node_context


def test_it_always_leaves_by_failed():
    outcome = Fail(reason="The total is negative").run(node_context())
    assert (outcome.port, outcome.effects, outcome.reason) == ("failed", (), "The total is negative")
