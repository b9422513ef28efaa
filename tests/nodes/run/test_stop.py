import pytest

from engine.flow.effect import Stop as End
from nodes.run.stop import Stop
from tests.nodes.build import seen


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param(Stop(), "", id="without a reason"),
        pytest.param(Stop(reason=None), "", id="with an empty one"),
        pytest.param(Stop(reason="A test order"), "A test order", id="with a reason"),
    ],
)
def test_the_run_ends(node, reason):
    outcome = node.run(seen())
    assert (outcome.port, outcome.effects, outcome.reason) == ("done", (End(),), reason)
