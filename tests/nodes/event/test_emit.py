import pytest

from engine.flow.effect import Emit
from nodes.event.emit import EventEmit
from tests.nodes.build import node_context


def test_the_event_is_emitted():
    outcome = EventEmit(type="order-is-big", properties={"total": 620}).run(node_context())
    assert (outcome.port, outcome.effects) == ("done", (Emit("order-is-big", {"total": 620}),))


def test_properties_are_optional():
    assert EventEmit(type=" ping ").run(node_context()).effects == (Emit("ping", {}),)


@pytest.mark.parametrize("type", ["", "  ", "a\nb", "a\x00", "x" * 201], ids=ascii)
def test_an_invalid_event_type_leaves_by_failed(type):
    outcome = EventEmit(type=type).run(node_context())
    assert (outcome.port, outcome.effects) == ("failed", ())
