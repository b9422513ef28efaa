"""Signatures that the systems publish themselves, and a byte that is changed in each of them."""

import pytest
from msgspec import structs

from engine.project.signature_check import CHECKS
from engine.tracking.foreign.signature import Verified, verified
from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.intake.payload import Refusal

GITHUB = (
    "github",
    "It's a Secret to Everybody",
    ForeignRequest(
        path="/",
        body=b"Hello, World!",
        headers={
            b"x-hub-signature-256": b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            b"x-github-delivery": b"d-1",
        },
    ),
    0,
    "d-1",
)
STANDARD = (
    "standard",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ForeignRequest(
        path="/",
        body=b'{"test": 2432232314}',
        headers={
            b"webhook-id": b"msg_p5jXN8AQM9LWM0D4loKWxJek",
            b"webhook-timestamp": b"1614265330",
            b"webhook-signature": b"v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,AAAA",
        },
    ),
    1_614_265_330_000,
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
)
STRIPE = (
    "stripe",
    "whsec_test_secret",
    ForeignRequest(
        path="/",
        body=b'{"id":"evt_test_webhook","object":"event"}',
        headers={
            b"stripe-signature": b"t=1700000000,v1=00,"
            b"v1=d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990"
        },
    ),
    1_700_000_000_000,
    "evt_test_webhook",
)
VECTORS = pytest.mark.parametrize(
    ("scheme", "secret", "request_", "now", "id"), [GITHUB, STANDARD, STRIPE], ids=["github", "standard", "stripe"]
)


@VECTORS
def test_a_published_signature_is_right(scheme: str, secret: str, request_: ForeignRequest, now: int, id: str) -> None:
    assert verified(CHECKS[scheme], [secret], request_, now) == Verified(id)


@VECTORS
def test_one_changed_byte_makes_it_wrong(scheme: str, secret: str, request_: ForeignRequest, now: int, id: str) -> None:
    for place in range(len(request_.body)):
        body = bytearray(request_.body)
        body[place] ^= 1
        with pytest.raises(Refusal):
            verified(CHECKS[scheme], [secret], structs.replace(request_, body=bytes(body)), now)


@VECTORS
def test_an_old_one_is_refused_where_it_has_a_time(
    scheme: str, secret: str, request_: ForeignRequest, now: int, id: str
) -> None:
    later = now + 300_001
    if CHECKS[scheme].within_ms is None:
        assert verified(CHECKS[scheme], [secret], request_, later)
    else:
        with pytest.raises(Refusal):
            verified(CHECKS[scheme], [secret], request_, later)
