"""How the requests of a webhook are signed: the schemes of some systems by their names, and the form of any other one.

A scheme is data. Where the signature is a header's, `form` describes it; Stripe, Mailgun and Twilio have readers of
their own (`engine.tracking.foreign.signature`).
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

from engine.project.signed_text import SignedPart, signed_parts
from engine.project.source import EventIdPlace

Scheme = Literal["stripe", "github", "shopify", "mailgun", "standard", "svix", "slack", "twilio", "hmac"]
Encoding = Literal["hex", "base64"]
Hash = Literal["sha1", "sha256", "sha512"]

SCHEMES: Final = get_args(Scheme)
WITHIN_MS: Final = 300_000  # how far the clocks of the sender and the server may be apart, in either direction
MAILGUN_WITHIN_MS: Final = 12 * 3_600_000  # Mailgun tries again for eight hours, with the time of its first attempt
KEY_PREFIX: Final = "whsec_"  # of a key that is Base64


class SignatureForm(Struct, frozen=True, kw_only=True):
    """A signature in a header. `header` and `timestamp` are names of headers in lower case.

    A header may hold several signatures, with `separator` between them; those without the prefix do not count.
    """

    header: str
    prefix: str = ""
    separator: str = ""  # empty: the header holds one signature
    signed: tuple[SignedPart, ...] = (SignedPart("body"),)
    encoding: Encoding = "hex"
    hash: Hash = "sha256"
    timestamp: str | None = None
    base64_key: bool = False


class SignatureCheck(Struct, frozen=True, kw_only=True):
    """How requests are verified. `public_url` is the address of this server as its senders know it: Twilio signs it.

    `within_ms` bounds how far the time of a signature may be from now; None where a scheme has no time. `id` is where
    the sender names a delivery, so that it takes effect once.
    """

    scheme: Scheme
    form: SignatureForm | None = None
    within_ms: int | None = None
    id: EventIdPlace | None = None
    public_url: str = ""


def _standard(scheme: Scheme, prefix: str) -> SignatureCheck:
    return SignatureCheck(
        scheme=scheme,
        form=SignatureForm(
            header=f"{prefix}-signature",
            prefix="v1,",
            separator=" ",
            signed=signed_parts(f"{{{{ headers['{prefix}-id'] }}}}.{{{{ timestamp }}}}.{{{{ body }}}}"),
            encoding="base64",
            timestamp=f"{prefix}-timestamp",
            base64_key=True,
        ),
        within_ms=WITHIN_MS,
        id=EventIdPlace(header=f"{prefix}-id"),
    )


CHECKS: Final[Mapping[str, SignatureCheck]] = {
    "stripe": SignatureCheck(scheme="stripe", within_ms=WITHIN_MS, id=EventIdPlace(path="id")),
    "github": SignatureCheck(
        scheme="github",
        form=SignatureForm(header="x-hub-signature-256", prefix="sha256="),
        id=EventIdPlace(header="x-github-delivery"),
    ),
    "shopify": SignatureCheck(
        scheme="shopify",
        form=SignatureForm(header="x-shopify-hmac-sha256", encoding="base64"),
        id=EventIdPlace(header="x-shopify-webhook-id"),
    ),
    "mailgun": SignatureCheck(scheme="mailgun", within_ms=MAILGUN_WITHIN_MS),
    "standard": _standard("standard", "webhook"),
    "svix": _standard("svix", "svix"),
    "slack": SignatureCheck(
        scheme="slack",
        form=SignatureForm(
            header="x-slack-signature",
            prefix="v0=",
            signed=signed_parts("v0:{{ timestamp }}:{{ body }}"),
            timestamp="x-slack-request-timestamp",
        ),
        within_ms=WITHIN_MS,
        id=EventIdPlace(path="event_id"),
    ),
    "twilio": SignatureCheck(scheme="twilio", id=EventIdPlace(header="i-twilio-idempotency-token")),
}  # of the schemes that an author names; `hmac` has no more than what its file says


class BadSecret(ValueError):
    """A text is no secret of a scheme. The message says why, without the text itself."""


def signing_key(check: SignatureCheck, secret: str) -> bytes:
    """Return the key that a secret stands for. Raises `BadSecret`."""
    if not secret.strip():
        raise BadSecret("the secret is empty")
    if secret != secret.strip():
        raise BadSecret("the secret begins or ends with space")
    if check.form is None or not check.form.base64_key:
        return str(secret).encode()
    text = secret.removeprefix(KEY_PREFIX)
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret(f"the secret is not Base64, with or without `{KEY_PREFIX}` before it") from None
    if not key:
        raise BadSecret("the secret is empty")
    return key
