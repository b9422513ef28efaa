from typing import Any

import pytest

from engine.flow.effect import Deliver
from engine.flow.message import HttpMessage
from engine.flow.outbox_room import OutboxRoom, outbox_room
from engine.profile.document import Members


def _deliver(body: Any = None, target: str = "crm") -> Deliver:
    return Deliver(target, HttpMessage(body=body))


def test_each_message_takes_from_the_room_of_the_unit() -> None:
    room, effect, reason = OutboxRoom().take(_deliver("a"))
    assert (effect, reason, room.deliveries) == (_deliver("a"), "", 999)
    assert 0 < 1_048_576 - room.bytes < 200


def test_a_message_is_plain_data() -> None:
    _, effect, _ = OutboxRoom().take(_deliver({"tags": Members(("a", "b"))}))
    assert effect == _deliver({"tags": ["a", "b"]})


@pytest.mark.parametrize(
    ("room", "effect", "limit"),
    [
        pytest.param(outbox_room(0, 1_000, 1_000), _deliver(), "most_per_unit", id="too many"),
        pytest.param(outbox_room(9, 1_000, 9_000), _deliver("a" * 1_000), "most_bytes`", id="too large"),
        pytest.param(outbox_room(9, 1_000, 100), _deliver("a" * 100), "most_bytes_per_unit", id="too large together"),
        pytest.param(OutboxRoom(full=frozenset({"crm"})), _deliver(), "most_open", id="a full outbox"),
    ],
)
def test_a_message_beyond_a_limit_is_refused_by_its_name(room: OutboxRoom, effect: Deliver, limit: str) -> None:
    left, _, reason = room.take(effect)
    assert left is room
    assert limit in reason


def test_a_full_outbox_of_another_target_refuses_nothing() -> None:
    assert OutboxRoom(full=frozenset({"crm"})).take(_deliver(target="erp"))[2] == ""
