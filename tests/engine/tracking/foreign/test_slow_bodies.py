"""Bodies that a sender has made to be slow, or to grow, take a bounded time and make events of a bounded size."""

import time
from contextlib import suppress

import msgspec
import pytest

from engine.project.source import Source
from engine.tracking.foreign import posthog, rakam, segment
from engine.tracking.foreign.senders import grouped_intakes
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.intake.payload import Refusal
from tests.projects import USERS

SECONDS = 4.0  # for 4 MiB, as for `/track`
SIZE = 4_194_304
LONG = b"x" * (SIZE // 2)
SHOP = Source(source="shop", accepts=("segment", "posthog", "rakam"))


def listed(event: bytes, count: int) -> bytes:
    return b"[" + b",".join([event] * min(count, SIZE // (len(event) + 1) - 1)) + b"]"


CALL = b'{"type":"track","event":"a","anonymousId":"a1","properties":%s}'
EVENT = b'{"event":"a","properties":%s}'
MANY_NAMES = b"{" + b",".join([b'"%d":1.2345678901234567890' % n for n in range(SIZE // 40)]) + b"}"
MANY_MEMBERS = b"{" + b'"":0,' * (SIZE // 5 - 20) + b"}"
HALVES = b'{"a":"' + rb"\ud800" * 230 + b'"}'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/batch", b'{"batch":[%s]}' % (CALL % MANY_NAMES), id="many fractions"),
        pytest.param("/v1/batch", b'{"batch":[%s]}' % (CALL % MANY_MEMBERS), id="an event that is no JSON"),
        pytest.param("/v1/track", MANY_MEMBERS, id="many members"),
        pytest.param("/v1/batch", b'{"batch":%s}' % listed(CALL % HALVES, 2500), id="halves of surrogate pairs"),
        pytest.param("/v1/batch", b'{"batch":%s,"sentAt":"%s"}' % (listed(CALL % b"{}", 2500), LONG), id="sentAt"),
        pytest.param("/batch", b'{"batch":%s,"sent_at":"%s"}' % (listed(EVENT % b"{}", 2500), LONG), id="sent_at"),
        pytest.param("/e", listed(EVENT % b'{"a":NaN}', 2500), id="a list of which no event is JSON"),
        pytest.param(
            "/user/batch",
            b'{"api":{"api_key":"k"},"id":"%s","data":%s}' % (LONG, listed(b'{"set_properties":{}}', 2500)),
            id="the id of all operations",
        ),
        pytest.param(
            "/event/bulk",
            b'{"api":{"api_key":"k","library":{"name":"%s"}},"events":%s}'
            % (LONG, listed(b'{"collection":"a"}', 5000)),
            id="the library of all events",
        ),
    ],
)
def test_a_body_that_is_made_to_be_slow_takes_a_bounded_time_and_grows_little(path: str, body: bytes) -> None:
    assert len(body) <= SIZE
    protocol = {"/v1": segment, "/ba": posthog, "/e": posthog}.get(path[:3], rakam)
    start = time.process_time()
    with suppress(Refusal):
        translation = protocol.translated(ForeignRequest(path=path, body=body))
        grouped_intakes(translation, SHOP, "segment", USERS.keys)
        taken = [event for event in translation.events if isinstance(event, ForeignEvent)]
        assert sum([len(event.raw) + len(msgspec.json.encode(event.context)) for event in taken]) < 2 * len(body)
    assert time.process_time() - start < SECONDS
