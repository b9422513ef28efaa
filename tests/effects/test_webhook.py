import base64
import time

import pytest
from standardwebhooks import Webhook

from effects.webhook import webhook_body, webhook_headers
from engine.flow.message import WebhookMessage
from engine.project.signing_key import signing_keys

NEW = "whsec_" + base64.b64encode(b"n" * 24).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
MESSAGE = WebhookMessage(type="order.paid", data={"order": "ö-1", "total": 12.5}, at=1_700_000_000_123)


@pytest.fixture
def now() -> int:
    """The time of the test (ms): receivers refuse webhooks that are five minutes old."""
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("receiver", [NEW, OLD])
def test_a_receiver_with_either_key_accepts_the_webhook(receiver, now):
    body = webhook_body(MESSAGE)
    headers = webhook_headers("d1", body, now, signing_keys(f"{NEW},{OLD}"))
    assert Webhook(receiver).verify(body, headers) == {
        "type": "order.paid",
        "timestamp": "2023-11-14T22:13:20.123Z",
        "data": {"order": "ö-1", "total": 12.5},
    }


@pytest.mark.parametrize(("id", "changed"), [("d2", b""), ("d1", b" ")])
def test_a_changed_webhook_is_refused(id, changed, now):
    body = webhook_body(MESSAGE)
    headers = webhook_headers("d1", body, now, signing_keys(NEW)) | {"webhook-id": id}
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(NEW).verify(body + changed, headers)


def test_the_body_is_the_same_at_every_attempt_and_the_signature_is_of_its_time(now):
    body = webhook_body(MESSAGE)
    first, second = (webhook_headers("d1", body, at, signing_keys(NEW)) for at in (now, now + 60_000))
    assert webhook_body(MESSAGE) == body
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]
    assert Webhook(NEW).verify(body, second)


def test_without_a_secret_there_is_no_signature():
    assert webhook_headers("d1", b"{}", 5_000, signing_keys(None)) == {"webhook-id": "d1", "webhook-timestamp": "5"}
