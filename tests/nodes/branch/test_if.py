import pytest

from nodes.branch.if_ import If
from tests.nodes.build import seen


@pytest.mark.parametrize(
    ("condition", "port"),
    [pytest.param(True, "then", id="a condition that holds"), pytest.param(False, "else", id="one that does not")],
)
def test_the_condition_chooses_the_port(condition, port):
    outcome = If(condition=condition).run(seen())
    assert (outcome.port, outcome.out, outcome.effects) == (port, None, ())
