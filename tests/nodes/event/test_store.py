from typing import Any

import pytest

from engine.flow.effect import Emit
from engine.flow.message import Elsewhere
from nodes.event.store import EventStore
from tests.nodes.build import node_context


def test_the_event_is_stored_with_all_that_is_known_of_it() -> None:
    node = EventStore(
        type=" order ", id=720182990123456789, time="2026-01-01", user="jo", visitor="d-1", properties={"n": 1}
    )
    outcome = node.run(node_context())
    elsewhere = Elsewhere(id="720182990123456789", time="2026-01-01", user="jo", visitor="d-1")
    assert (outcome.port, outcome.effects) == ("done", (Emit("order", {"n": 1}, elsewhere),))


def test_what_is_null_is_left_out() -> None:
    outcome = EventStore(type="order", id=None, user=None).run(node_context())
    assert outcome.effects == (Emit("order", {}, Elsewhere()),)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": " "}, "an event type is a text of 1 to 200 printable characters"),
        ({"type": "order", "id": ""}, "`id` is a text or a whole number"),
        ({"type": "order", "id": True}, "`id` is a text or a whole number"),
        ({"type": "order", "user": 1.5}, "`user` is a text or a whole number"),
        ({"type": "order", "visitor": ["d"]}, "`visitor` is a text or a whole number"),
    ],
)
def test_what_cannot_be_stored_leaves_by_failed(fields: dict[str, Any], reason: str) -> None:
    outcome = EventStore(**fields).run(node_context())
    assert (outcome.port, outcome.effects, outcome.reason) == ("failed", (), reason)
