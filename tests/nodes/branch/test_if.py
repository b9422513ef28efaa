import pytest

from nodes.branch.if_ import If
from tests.nodes.build import node_context


@pytest.mark.parametrize(
    ("condition", "port"),
    [pytest.param(True, "then", id="a true condition"), pytest.param(False, "else", id="a false condition")],
)
def test_the_condition_chooses_the_port(condition, port):
    outcome = If(condition=condition).run(node_context())
    assert (outcome.port, outcome.out, outcome.effects) == (port, None, ())
