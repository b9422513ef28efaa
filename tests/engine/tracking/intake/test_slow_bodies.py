"""Bodies that a sender has made to be slow to decode take a bounded time: meanwhile no other request is answered."""

import time
from contextlib import suppress

import pytest

from engine.tracking.intake.payload import MAX_BODY, Refusal, read_track

SECONDS = 1.0  # for 1 MiB, with room for a slow machine; work that grows with the square of the size takes longer
HALF = MAX_BODY // 2 - 200
LONG_NAME = b"n" * HALF
VALUES = b"1," * (HALF // 2)

EVENT = b'{"source":{"id":"shop"},"session":{"id":"s"},"events":[%s]}'
PROPERTIES = EVENT % b'{"type":"x","properties":%s}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            PROPERTIES % b'{"%s":[%s12345678901234567]}' % (LONG_NAME, VALUES), id="a long name of many values"
        ),
        pytest.param(PROPERTIES % b'{"%s":[%sNaN]}' % (LONG_NAME, VALUES), id="a long name of a value that is no JSON"),
        pytest.param(EVENT % b'{"type":"x","options":{"%s":1}}' % (LONG_NAME * 2), id="a long name of an option"),
        pytest.param(
            b'{"source":{"id":"shop"},"events":[{"type":"x"}],"options":{"%s":1}}' % (b"saveEvent" * (2 * HALF // 9)),
            id="a long name of a payload's option",
        ),
        pytest.param(
            EVENT % b",".join([b'{"type":"x","options":{"%s":1}}' % (b"n" * 2000)] * 500),
            id="names of options in many events",
        ),
        pytest.param(PROPERTIES % b'{"a":[%s1]}' % (b"19.989999999999998," * (HALF // 10)), id="many long fractions"),
        pytest.param(PROPERTIES % b'{"a":[%s1]}' % (b"9e-320," * (HALF // 14)), id="many fractions near zero"),
        pytest.param(PROPERTIES % b'"%s"' % (rb"\ud83d" * (HALF // 3)), id="many halves of surrogate pairs"),
        pytest.param(PROPERTIES % b'{"a":%s}' % (b"[" * HALF + b"]" * HALF), id="many levels"),
    ],
)
def test_a_body_that_is_made_to_be_slow_takes_a_bounded_time(body: bytes) -> None:
    assert len(body) <= MAX_BODY + 2000
    start = time.process_time()
    with suppress(Refusal):
        read_track(body)
    assert time.process_time() - start < SECONDS
