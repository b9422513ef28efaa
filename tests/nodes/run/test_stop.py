import pytest

from engine.flow.effect import Stop as End
from nodes.run.stop import Stop
from tests.nodes.build import node_context


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param(Stop(), "", id="without a reason"),
        pytest.param(Stop(reason=None), "", id="with null as reason"),
        pytest.param(Stop(reason="A test order"), "A test order", id="with a reason"),
    ],
)
def test_the_run_ends(node, reason):
    outcome = node.run(node_context())
    assert (outcome.port, outcome.effects, outcome.reason) == ("done", (End(),), reason)
