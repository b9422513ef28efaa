import pytest

from engine.flow.effect import Emit
from nodes.event.emit import EventEmit
from tests.nodes.build import seen


def test_the_event_is_emitted():
    outcome = EventEmit(type="order-is-big", properties={"total": 620}).run(seen())
    assert (outcome.port, outcome.effects) == ("done", (Emit("order-is-big", {"total": 620}),))


def test_properties_may_be_left_out():
    assert EventEmit(type=" ping ").run(seen()).effects == (Emit("ping", {}),)


@pytest.mark.parametrize("type", ["", "  ", "a\nb", "a\x00", "x" * 201], ids=ascii)
def test_a_text_that_cannot_be_a_type_leaves_by_failed(type):
    outcome = EventEmit(type=type).run(seen())
    assert (outcome.port, outcome.effects) == ("failed", ())
