"""Signatures of webhooks: whether a request comes from the one who knows the secret, and is no old one.

A scheme's reader finds in a request what was signed and which signatures are given (`_Claim`); how they are compared is
the same for all: over the bytes as they came, in constant time, with each secret. The sender of a refused request
learns that it was refused; the log of the server has the cause.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from engine.language.path import parse_path, read
from engine.project.signature_check import BadSecret, Encoding, Hash, SignatureCheck, SignatureForm, signing_key
from engine.project.signed_text import SignedPart
from engine.project.source import EventIdPlace
from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.intake.form import URL_ENCODED, BadForm, form_fields, is_form
from engine.tracking.intake.payload import Refusal

REFUSED: Final = "the signature of the request is missing, wrong or too old"

_MAX_DIGITS: Final = 13  # of a timestamp
_LARGE: Final = 10**100  # beyond any id that is a number
_MILLISECONDS: Final = 100_000_000_000  # from here on, a timestamp is one of milliseconds: in seconds, of the year 5138


class Verified(Struct, frozen=True):
    """A request with a right signature. `repeat_id` is the sender's id of the delivery, None if it has none.

    Without `covers_body` the signature says nothing about the body, and only the id is signed: then it alone decides
    whether the delivery came before, whatever ids the body names.
    """

    repeat_id: str | None
    covers_body: bool = True


class _Claim(Struct, frozen=True, kw_only=True):
    """The claim of a request: one of the `signatures` is that of one of the `signed` texts."""

    signed: tuple[bytes, ...]
    signatures: tuple[bytes, ...]
    timestamp: bytes | None = None
    encoding: Encoding = "hex"
    hash: Hash = "sha256"
    token: str | None = None  # signed in place of the body


class _Unverifiable(Exception):
    """A request does not have what its scheme signs. The message is for the log."""


def verified(check: SignatureCheck, secrets: Sequence[str], request: ForeignRequest, now: int) -> Verified:
    """Return what a right signature tells. Raises `Refusal` for any other one; `now` is in milliseconds.

    Any of the `secrets` may have made the signature: there are several while a secret changes.
    """
    try:
        keys = [signing_key(check, secret) for secret in secrets]
        if not keys:
            raise _Unverifiable("the webhook has no secret")
        claim = _READERS.get(check.scheme, _in_header)(check, request)
        if not _matches(claim, keys):
            raise _Unverifiable("the signature is wrong: the secret is another one, or the request was changed")
        _check_time(check, claim, now)
    except (_Unverifiable, BadSecret) as error:
        raise Refusal("unauthorised", REFUSED, cause=f"{REFUSED} ({check.scheme}: {error})") from None
    if claim.token is not None:
        return Verified(claim.token, covers_body=False)
    return Verified(_repeat_id(check.id, request))


def unverified(check: SignatureCheck, request: ForeignRequest) -> Verified:
    """Return what a right signature would tell, without looking at it: of a recorded request, which may have none."""
    if check.scheme != "mailgun":
        return Verified(_repeat_id(check.id, request))
    try:
        return Verified(_mailgun(check, request).token, covers_body=False)
    except _Unverifiable:
        return Verified(None)


def _matches(claim: _Claim, keys: Sequence[bytes]) -> bool:
    """Return whether one of the signatures is right. How long it takes tells nothing about the right one."""
    given = [signature.lower() for signature in claim.signatures] if claim.encoding == "hex" else claim.signatures
    found = False
    for key in keys:
        for text in claim.signed:
            right = signature(key, text, claim.encoding, claim.hash)
            for one in given:
                found |= hmac.compare_digest(right, one)
    return found


def signature(key: bytes, signed: bytes, encoding: Encoding = "hex", hash: Hash = "sha256") -> bytes:
    """Return the signature of a text, as it stands in a header."""
    digest = hmac.digest(key, signed, hash)
    return digest.hex().encode() if encoding == "hex" else b64encode(digest)


def _check_time(check: SignatureCheck, claim: _Claim, now: int) -> None:
    """Raise `_Unverifiable` for a signature that is too old, or of a time to come."""
    if check.within_ms is None or claim.timestamp is None:
        return
    at = int(claim.timestamp)
    away = now - (at if at >= _MILLISECONDS else at * 1000)
    if abs(away) > check.within_ms:
        when = "old" if away > 0 else "in the future"
        raise _Unverifiable(f"the signature is {abs(away) // 1000} seconds {when}: at most {check.within_ms // 1000}")


def _in_header(check: SignatureCheck, request: ForeignRequest) -> _Claim:
    """Return the claim of a scheme whose signature is in a header of its own."""
    form = check.form or SignatureForm(header="")
    timestamp = _timestamp(_header(request, form.timestamp)) if form.timestamp else None
    text = _header(request, form.header)
    each = text.split(form.separator.encode()) if form.separator else [text]
    prefix = form.prefix.encode()
    return _Claim(
        signed=(b"".join([_bytes_of(part, request, timestamp) for part in form.signed]),),
        signatures=tuple([one.strip()[len(prefix) :] for one in each if one.strip().startswith(prefix)]),
        timestamp=timestamp,
        encoding=form.encoding,
        hash=form.hash,
    )


def _bytes_of(part: SignedPart, request: ForeignRequest, timestamp: bytes | None) -> bytes:
    if part.kind == "body":
        return request.body
    if part.kind == "timestamp":
        return timestamp or b""
    return _header(request, part.text) if part.kind == "header" else part.text.encode()


def _stripe(_check: SignatureCheck, request: ForeignRequest) -> _Claim:
    """Return the claim of `Stripe-Signature: t=TIME,v1=SIGNATURE`; there may be several `v1`; others do not count."""
    pairs = [pair.strip().partition(b"=") for pair in _header(request, "stripe-signature").split(b",")]
    times = [value for name, _, value in pairs if name == b"t"]
    if len(times) != 1:
        raise _Unverifiable("the header stripe-signature has no time `t`, or several")
    timestamp = _timestamp(times[0])
    return _Claim(
        signed=(timestamp + b"." + request.body,),
        signatures=tuple([value for name, _, value in pairs if name == b"v1"]),
        timestamp=timestamp,
    )


def _mailgun(_check: SignatureCheck, request: ForeignRequest) -> _Claim:
    """Return the claim of a body's own `signature`, or of a form's fields. It is of a time and a token, no more."""
    fields = _mailgun_fields(request)
    token = fields.get("token")
    if not isinstance(token, str) or not token:
        raise _Unverifiable("the body has no `token`")
    written = fields.get("timestamp")
    timestamp = _timestamp(str(written).encode() if isinstance(written, str | int) else b"")
    given = [fields.get("signature"), fields.get("parent-signature")]  # of a subaccount, and of the account above it
    return _Claim(
        signed=(timestamp + token.encode("utf-8", "surrogatepass"),),
        signatures=tuple([one.encode("utf-8", "surrogatepass") for one in given if isinstance(one, str)]),
        timestamp=timestamp,
        token=token,
    )


def _mailgun_fields(request: ForeignRequest) -> Mapping[str, Any]:
    media = _media_type(request)
    if is_form(media, request.body):
        try:
            return form_fields(media, request.body)
        except BadForm as error:
            raise _Unverifiable(error.reason) from None
    document = _json(request.body)
    found = document.get("signature") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise _Unverifiable("the body has no object `signature`")
    return found


def _twilio(check: SignatureCheck, request: ForeignRequest) -> _Claim:
    """Return the claim of a form: of the address and the sorted fields; or of an address that has the body's hash."""
    settings = _header(request, "x-twilio-webhooks-signature-settings", b"").replace(b" ", b"").split(b",")
    given = _header(request, "x-twilio-signature")
    fields = b"".join(_twilio_fields(request))
    return _Claim(
        signed=tuple([address.encode() + fields for address in _addresses(check.public_url, request)]),
        signatures=(given,),
        encoding="base64",
        hash="sha256" if b"algorithm=HMAC_SHA256" in settings else "sha1",
    )


def _addresses(public_url: str, request: ForeignRequest) -> Iterator[str]:
    """Yield the address that was called, as its sender may have written it: without its port, and with it."""
    if not public_url:
        raise _Unverifiable("Twilio signs the address of the server: write it as `public_url` in headrace.yaml")
    url = public_url.rstrip("/") + (request.target or request.path)
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = host if host.endswith("]") else host.rpartition(":")[0] or host
    if parts.port is not None:
        yield url
    yield urlunsplit(parts._replace(netloc=bare))
    if parts.port is None:
        yield urlunsplit(parts._replace(netloc=f"{bare}:{443 if parts.scheme == 'https' else 80}"))


def _twilio_fields(request: ForeignRequest) -> Iterator[bytes]:
    """Yield the names and values of a form, sorted; nothing where the address has the right hash of the body."""
    hashes = parse_qs(urlsplit(request.target).query).get("bodySHA256", [])
    media = _media_type(request)
    is_encoded = media.partition(";")[0].strip().lower() == URL_ENCODED
    if hashes and not is_encoded:
        if not hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), hashes[0].lower().encode()):
            raise _Unverifiable("the body is not the one whose hash is in the address")
        return
    if not request.body:
        return
    if not (is_encoded and is_form(media, request.body)):
        raise _Unverifiable("the body is no form, and the address has no `bodySHA256`")
    try:
        fields = form_fields(media, request.body)
    except BadForm as error:
        raise _Unverifiable(error.reason) from None
    for name in sorted(fields):
        values = fields[name] if isinstance(fields[name], list) else [fields[name]]
        for value in sorted({str(value) for value in values}):
            yield (name + value).encode()


_READERS: Final[Mapping[str, Callable[[SignatureCheck, ForeignRequest], _Claim]]] = {
    "stripe": _stripe,
    "mailgun": _mailgun,
    "twilio": _twilio,
}  # of the schemes that are not described by a `SignatureForm`


def _header(request: ForeignRequest, name: str, default: bytes | None = None) -> bytes:
    """Return a header's value. Raises `_Unverifiable` if there is none."""
    value = request.headers.get(name.encode(), default)
    if value is None:
        raise _Unverifiable(f"the header {name} is missing")
    return value.strip()


def _media_type(request: ForeignRequest) -> str:
    return request.headers.get(b"content-type", b"").decode("latin-1")


def _timestamp(text: bytes) -> bytes:
    """Return a text that is a time, in digits alone: other forms of one number would be other signed texts."""
    if not (text.isdigit() and len(text) <= _MAX_DIGITS):
        raise _Unverifiable("the timestamp is no whole number of seconds")
    return text


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _repeat_id(place: EventIdPlace | None, request: ForeignRequest) -> str | None:
    """Return the id of a delivery from where its sender writes it."""
    if place is None:
        return None
    if place.header is not None:
        return request.headers.get(place.header.lower().encode(), b"").decode("latin-1").strip() or None
    found = read(_json(request.body), parse_path(place.path or ""))
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) < _LARGE:
        return str(found)
    return found if isinstance(found, str) and found else None
