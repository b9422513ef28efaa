"""Signatures of webhooks: the vendors' own vectors and libraries agree, and nothing else is taken."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

from engine.project.signature_check import CHECKS, SignatureCheck, SignatureForm
from engine.project.signed_text import signed_parts
from engine.project.source import EventIdPlace
from engine.tracking.foreign.signature import REFUSED, Verified, verified
from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.intake.payload import Refusal

NOW = 1_700_000_000_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JSON = {b"content-type": b"application/json"}
FORM = {b"content-type": b"application/x-www-form-urlencoded"}
PUBLIC = "https://events.shop.example"


def request(body: bytes, headers: dict[bytes, bytes], target: str = "/webhook/collect/x") -> ForeignRequest:
    return ForeignRequest(path="/webhook/collect/x", body=body, headers=headers, target=target)


def github(body: bytes = b"Hello, World!") -> tuple[SignatureCheck, str, ForeignRequest]:
    digest = hmac.digest(b"It's a Secret to Everybody", body, "sha256").hex().encode()
    headers = {b"x-hub-signature-256": b"sha256=" + digest, b"x-github-delivery": b"72d3162e"}
    return CHECKS["github"], "It's a Secret to Everybody", request(body, headers)


def of_stripe(time: int = NOW // 1000) -> tuple[SignatureCheck, str, ForeignRequest]:
    body = b'{"id":"evt_test_webhook","object":"event"}'
    digest = hmac.digest(b"whsec_test_secret", b"%d." % time + body, "sha256").hex().encode()
    stripe.WebhookSignature.verify_header(body.decode(), f"t={time},v1={digest.decode()}", "whsec_test_secret", None)
    headers = {b"stripe-signature": b"t=%d,v1=" % time + digest}
    return CHECKS["stripe"], "whsec_test_secret", request(body, headers)


def standard(time: int = NOW // 1000, prefix: bytes = b"webhook") -> tuple[SignatureCheck, str, ForeignRequest]:
    body, id = b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek"
    made = Webhook(SECRET).sign(id, datetime.fromtimestamp(time, UTC), body.decode()).encode()
    headers = {prefix + b"-id": id.encode(), prefix + b"-timestamp": b"%d" % time, prefix + b"-signature": made}
    return CHECKS["standard" if prefix == b"webhook" else "svix"], SECRET, request(body, headers)


def shopify() -> tuple[SignatureCheck, str, ForeignRequest]:
    body = b'{"id": 820982911946154508}'
    digest = base64.b64encode(hmac.digest(b"hush", body, "sha256"))
    return (
        CHECKS["shopify"],
        "hush",
        request(body, {b"x-shopify-hmac-sha256": digest, b"x-shopify-webhook-id": b"b54557e4"}),
    )


def slack(time: int = NOW // 1000) -> tuple[SignatureCheck, str, ForeignRequest]:
    body = b'{"event_id": "Ev1", "type": "event_callback"}'
    made = SignatureVerifier("8f742231b10e8888").generate_signature(timestamp=str(time), body=body)
    headers = {b"x-slack-signature": (made or "").encode(), b"x-slack-request-timestamp": b"%d" % time}
    return CHECKS["slack"], "8f742231b10e8888", request(body, headers)


def mailgun(
    time: int = NOW // 1000, token: str = "a" * 50, *, form: bool = False
) -> tuple[SignatureCheck, str, ForeignRequest]:
    signature = hmac.digest(b"key-1", f"{time}{token}".encode(), "sha256").hex()
    signed = {"timestamp": str(time), "token": token, "signature": signature}
    if form:
        return CHECKS["mailgun"], "key-1", request(urlencode({**signed, "event": "opened"}).encode(), FORM)
    body = json.dumps({"signature": signed, "event-data": {"id": "e1", "event": "opened"}}).encode()
    return CHECKS["mailgun"], "key-1", request(body, JSON)


TWILIO = SignatureCheck(scheme="twilio", id=CHECKS["twilio"].id, public_url=PUBLIC)


def twilio(target: str = "/webhook/collect/x?a=1") -> tuple[SignatureCheck, str, ForeignRequest]:
    fields = {"From": "+4930901820", "Body": "Grüße & Küsse", "SmsSid": "SM1", "Empty": ""}
    made = RequestValidator("token").compute_signature(PUBLIC + target, fields)
    headers = {**FORM, b"x-twilio-signature": made.encode(), b"i-twilio-idempotency-token": b"t1"}
    return TWILIO, "token", request(urlencode(fields).encode(), headers, target)


def own() -> tuple[SignatureCheck, str, ForeignRequest]:
    form = SignatureForm(
        header="x-signature",
        signed=signed_parts("{{ headers['x-id'] }}|{{ timestamp }}|{{ body }}"),
        hash="sha512",
        encoding="base64",
        timestamp="x-time",
    )
    check = SignatureCheck(scheme="hmac", form=form, within_ms=60_000, id=EventIdPlace(path="data.id"))
    body = b'{"data": {"id": 720182990123456789}}'
    digest = base64.b64encode(hmac.digest(b"s", b"7|%d|" % (NOW // 1000) + body, "sha512"))
    return check, "s", request(body, {b"x-signature": digest, b"x-id": b"7", b"x-time": b"%d" % (NOW // 1000)})


SIGNED: list[tuple[Callable[[], tuple[SignatureCheck, str, ForeignRequest]], str | None]] = [
    (github, "72d3162e"),
    (of_stripe, "evt_test_webhook"),
    (standard, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    (lambda: standard(prefix=b"svix"), "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    (shopify, "b54557e4"),
    (slack, "Ev1"),
    (mailgun, "a" * 50),
    (lambda: mailgun(form=True), "a" * 50),
    (twilio, "t1"),
    (own, "720182990123456789"),
]


@pytest.mark.parametrize(("make", "id"), SIGNED)
def test_a_right_signature_is_taken_with_the_id_of_its_delivery(make: Any, id: str) -> None:
    check, secret, signed = make()
    assert verified(check, [secret], signed, NOW).repeat_id == id
    assert verified(check, ["c3BhcmU=", secret], signed, NOW).repeat_id == id


@pytest.mark.parametrize(("make", "id"), SIGNED)
def test_another_secret_or_none_is_refused(make: Any, id: str) -> None:
    check, secret, signed = make()
    for secrets in ([], ["b3RoZXI="], [""], [secret + "A"]):
        with pytest.raises(Refusal) as raised:
            verified(check, secrets, signed, NOW)
        assert (raised.value.kind, raised.value.detail) == ("unauthorised", REFUSED)
        assert len(secret) < 5 or secret not in raised.value.cause


def changed(signed: ForeignRequest, at: int, flip: int) -> ForeignRequest:
    body = bytearray(signed.body)
    body[at % len(body)] ^= flip
    return ForeignRequest(path=signed.path, body=bytes(body), headers=signed.headers, target=signed.target)


@pytest.mark.parametrize("make", [github, of_stripe, standard, shopify, slack, own])
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_body_that_differs_in_one_bit_is_refused(make: Any, at: int, bit: int) -> None:
    check, secret, signed = make()
    with pytest.raises(Refusal):
        verified(check, [secret], changed(signed, at, 1 << bit), NOW)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_form_of_twilio_that_means_something_else_is_refused(at: int, bit: int) -> None:
    from engine.tracking.intake.form import BadForm, form_fields

    check, secret, signed = twilio()
    other = changed(signed, at, 1 << bit)
    media = "application/x-www-form-urlencoded"
    try:
        if form_fields(media, other.body) == form_fields(media, signed.body):
            return  # another way to write the same fields, which are signed
    except BadForm:
        pass
    with pytest.raises(Refusal):
        verified(check, [secret], other, NOW)


@pytest.mark.parametrize("make", [of_stripe, standard, slack])
@pytest.mark.parametrize(("seconds", "taken"), [(0, True), (-299, True), (299, True), (-301, False), (301, False)])
def test_a_signature_holds_for_five_minutes_before_and_after_its_time(make: Any, seconds: int, taken: bool) -> None:
    check, secret, signed = make(NOW // 1000 + seconds)
    if taken:
        assert verified(check, [secret], signed, NOW)
    else:
        with pytest.raises(Refusal, match=REFUSED):
            verified(check, [secret], signed, NOW)


def test_the_published_vectors_are_taken() -> None:
    digest = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    check = CHECKS["github"]
    signed = request(b"Hello, World!", {b"x-hub-signature-256": digest})
    assert verified(check, ["It's a Secret to Everybody"], signed, NOW) == Verified(None)
    headers = {
        b"webhook-id": b"msg_p5jXN8AQM9LWM0D4loKWxJek",
        b"webhook-timestamp": b"1614265330",
        b"webhook-signature": b"v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x",
    }
    assert verified(CHECKS["standard"], [SECRET], request(b'{"test": 2432232314}', headers), 1_614_265_330_000)
    stripe_header = b"t=1700000000,v1=d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990"
    body = b'{"id":"evt_test_webhook","object":"event"}'
    assert verified(CHECKS["stripe"], ["whsec_test_secret"], request(body, {b"stripe-signature": stripe_header}), NOW)


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("t={t},v1=00,v1={v}", True),
        ("t={t},v1={v},v0=00", True),
        ("t={t},v0={v}", False),
        ("t={t}", False),
        ("v1={v}", False),
        ("t={t},v1={v},t=1", False),
        ("", False),
        ("t=+{t},v1={v}", False),
        ("t={t},v1=\u00ff", False),
    ],
)
def test_only_a_right_v1_of_stripe_counts(header: str, taken: bool) -> None:
    check, secret, signed = of_stripe()
    value = signed.headers[b"stripe-signature"].decode().partition("v1=")[2]
    written = header.format(t=NOW // 1000, v=value).encode("latin-1")
    other = request(signed.body, {b"stripe-signature": written})
    if taken:
        assert verified(check, [secret], other, NOW)
    else:
        with pytest.raises(Refusal):
            verified(check, [secret], other, NOW)


def test_the_body_of_mailgun_is_not_signed_so_its_token_alone_names_the_delivery() -> None:
    check, secret, signed = mailgun()
    assert verified(check, [secret], signed, NOW) == Verified("a" * 50, covers_body=False)
    with pytest.raises(Refusal):
        verified(check, [secret], mailgun(NOW // 1000 - 12 * 3600 - 1)[2], NOW)


def test_twilio_signs_the_hash_of_a_body_of_json_in_the_address() -> None:
    body = b'{"a": 1}'
    target = f"/webhook/collect/x?bodySHA256={hashlib.sha256(body).hexdigest()}"
    made = RequestValidator("token").compute_signature(PUBLIC + target, {}).encode()
    signed = request(body, {**JSON, b"x-twilio-signature": made}, target)
    assert verified(TWILIO, ["token"], signed, NOW)
    with pytest.raises(Refusal):
        verified(TWILIO, ["token"], request(b'{"a": 2}', signed.headers, target), NOW)


@pytest.mark.parametrize("public", ["", "https://other.example", "http://events.shop.example"])
def test_a_signature_of_twilio_for_another_address_is_refused(public: str) -> None:
    _, secret, signed = twilio()
    with pytest.raises(Refusal):
        verified(SignatureCheck(scheme="twilio", public_url=public), [secret], signed, NOW)


@given(st.binary(max_size=60), st.sampled_from(sorted(CHECKS)), st.binary(max_size=40))
def test_no_request_makes_the_check_fail_in_another_way(header: bytes, scheme: str, body: bytes) -> None:
    check = CHECKS[scheme]
    names = [b"stripe-signature", b"x-hub-signature-256", b"x-shopify-hmac-sha256", b"webhook-id", b"webhook-timestamp"]
    names += [
        b"webhook-signature",
        b"x-slack-signature",
        b"x-slack-request-timestamp",
        b"x-twilio-signature",
        b"content-type",
    ]
    with pytest.raises(Refusal):
        verified(check, ["c2VjcmV0"], request(body, dict.fromkeys(names, header)), NOW)
