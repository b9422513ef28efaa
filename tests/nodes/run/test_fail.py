from nodes.run.fail import Fail
from tests.nodes.build import seen


def test_it_always_leaves_by_failed():
    outcome = Fail(reason="The total is negative").run(seen())
    assert (outcome.port, outcome.effects, outcome.reason) == ("failed", (), "The total is negative")
