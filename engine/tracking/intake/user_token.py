"""User tokens: a back end signs the identity of a visitor who has logged in, and the page sends the token with events.

A token is a JSON Web Token (RFC 7519) of one kind, signed with the secret that the source shares with its back end:

    base64url({"alg":"HS256"}) . base64url(claims) . base64url(HMAC-SHA256(secret, what stands before the last dot))

It proves the keys that it carries and nothing else, to one source, for a day at most, for any sender that has it. A
refusal does not name the error in a token: its issuer can check it, and an attacker who guesses learns nothing.
"""

import hmac
from base64 import b64decode, urlsafe_b64encode
from binascii import Error

import msgspec
from msgspec import Struct

from engine.language.path import parse_path
from engine.problem import ProblemError
from engine.profile.document import Scalar
from engine.tracking.intake.data_limits import first_fault_in, has_fraction

LONGEST = 4_096  # characters of a token
SHORTEST_SECRET = 32  # characters
MAX_KEYS = 10  # what one `profile.merge` takes
MAX_SECONDS = 86_400  # that a token is valid for
LEEWAY = 60  # seconds by which the clock of the back end may be ahead of ours
ROOTS = ("traits", "pii")  # of a profile: where keys are

_HEADER = {"alg": "HS256", "typ": "JWT"}


class Claims(Struct, frozen=True, omit_defaults=True):
    """The claims of a token. Times are seconds since 1970, as in the token."""

    aud: str | int  # the source
    exp: int | float
    keys: dict[str, str | int | float]  # by path, e.g. {"pii.email": "ann@example.com"}
    session: str | int | None = None  # then it is good for this session only
    nbf: int | float | None = None


class _Header(Struct, frozen=True):
    alg: str
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # extensions that have to be understood: there are none


class _Keys(Struct, frozen=True):
    keys: msgspec.Raw  # as JSON text


_encode = msgspec.json.Encoder().encode
_claims = msgspec.json.Decoder(Claims)
_header = msgspec.json.Decoder(_Header)
_keys = msgspec.json.Decoder(_Keys)


def sign(claims: Claims, secret: str) -> str:
    """Return the signed token of `claims`."""
    said = f"{_base64(_encode(_HEADER))}.{_base64(_encode(claims))}"
    return f"{said}.{_signature(said, secret)}"


def proven_keys(token: str, secret: str, source: str, session: str | None, now: int) -> dict[str, Scalar] | None:
    """Return the keys that a token proves to `source` in `session` at `now` (ms); None when it proves nothing."""
    claims = _read(token, secret)
    if claims is None or str(claims.aud) != source or not (claims.session is None or str(claims.session) == session):
        return None
    seconds = now / 1000
    if not ((claims.nbf or 0) - LEEWAY <= seconds < claims.exp <= seconds + MAX_SECONDS + LEEWAY):
        return None
    if not 0 < len(claims.keys) <= MAX_KEYS or not all(map(_is_key, claims.keys)):
        return None
    return dict(claims.keys)


def _read(token: str, secret: str) -> Claims | None:
    """Return the claims of a token that was signed with `secret`. The signature is checked first, in constant time."""
    said, _, signature = token.rpartition(".")
    if len(token) > LONGEST or not token.isascii():
        return None
    if not hmac.compare_digest(_signature(said, secret), signature):
        return None
    header, _, claims = said.partition(".")
    try:
        head = _header.decode(_unbase64(header))
        raw = _unbase64(claims)
        known = _claims.decode(raw) if head.alg == "HS256" and head.crit is msgspec.UNSET else None
    except (msgspec.DecodeError, UnicodeDecodeError, Error):
        return None
    rounded = has_fraction(raw) and first_fault_in(bytes(_keys.decode(raw).keys), "")  # two keys could become one
    return None if rounded else known


def _is_key(path: str) -> bool:
    try:
        names = parse_path(path)
    except ProblemError:
        return False
    return len(names) > 1 and names[0] in ROOTS


def _signature(said: str, secret: str) -> str:
    return _base64(hmac.digest(secret.encode(), said.encode(), "sha256"))


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
