"""Records of any kind as plain JSON."""

import pytest
from msgspec import Raw

from api.serialize import serialize_record
from engine.flow.message import HttpMessage
from engine.ports.outbox import StoredDelivery
from tests.storage.kinds import JANUARY, remark


@pytest.mark.parametrize(("body", "shown"), [(b'{"a": [1]}', {"a": [1]}), (b'{"a', '{"a'), (b"\xff", "\ufffd")])
def test_a_record_of_a_further_kind_is_serialized_with_its_fields(body: bytes, shown: object) -> None:
    record = remark("r", readers=("bob",), body=Raw(body))
    expected = {"id": "r", "source": "web", "at": JANUARY, "topic": "tea", "seen_by": ("bob",), "body": shown}
    assert serialize_record(record, {}) == expected


def test_a_delivery_is_serialized_with_its_state_and_mode_also_where_they_are_the_defaults() -> None:
    delivery = StoredDelivery("d", "crm", "crm/0", JANUARY, "shop", "e", "flow", "node", HttpMessage(), JANUARY)
    shown = serialize_record(delivery, {})
    assert (shown["state"], shown["mode"], shown["attempts"]) == ("waiting", "live", 0)
