import msgspec
import pytest

from engine.flow.effect import Log as LogLine
from nodes.run.log import Log
from tests.nodes.build import node_context


@pytest.mark.parametrize(
    ("node", "line"),
    [
        pytest.param(Log(message="An order"), LogLine("info", "An order"), id="info by default"),
        pytest.param(Log(message="Odd", level="warning"), LogLine("warning", "Odd"), id="with a level"),
    ],
)
def test_a_line_is_written(node, line):
    outcome = node.run(node_context())
    assert (outcome.port, outcome.effects) == ("done", (line,))


def test_a_level_is_one_of_four():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"message": "x", "level": "loud"}, Log)
