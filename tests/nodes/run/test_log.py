import msgspec
import pytest

from engine.flow.effect import Log as Line
from nodes.run.log import Log
from tests.nodes.build import seen


@pytest.mark.parametrize(
    ("node", "line"),
    [
        pytest.param(Log(message="An order"), Line("info", "An order"), id="info when nothing is said"),
        pytest.param(Log(message="Odd", level="warning"), Line("warning", "Odd"), id="at the level that is given"),
    ],
)
def test_a_line_is_written(node, line):
    outcome = node.run(seen())
    assert (outcome.port, outcome.effects) == ("done", (line,))


def test_a_level_is_one_of_four():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"message": "x", "level": "loud"}, Log)
