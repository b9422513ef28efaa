"""Redaction: a target's secrets, found by their exact value in whatever is shown, become `***`."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

SHORTEST = 6  # characters; a shorter value would be found in innocent text
HIDDEN = "***"

_CREDENTIAL = re.compile(r"auth|cookie|credential|key|password|secret|session|signature|token", re.IGNORECASE)


class Redaction:
    """Hides the values of a target's headers.

    What Headrace says about a call (`text`) shows no header's value at all. In an answer's body only the values of
    headers that are credentials by their name are hidden, so that `Accept: application/json` spoils no data.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._all = _pattern(headers.values())
        self._credentials = _pattern(value for name, value in headers.items() if _CREDENTIAL.search(name))

    def text(self, shown: str) -> str:
        """`shown` without the values of any header."""
        return shown if self._all is None else self._all.sub(HIDDEN, shown)

    def body(self, shown: str) -> str:
        """`shown`, which came from the target, without the credentials that it echoes."""
        return shown if self._credentials is None else self._credentials.sub(HIDDEN, shown)


def _pattern(values: Iterable[str]) -> re.Pattern[str] | None:
    """What finds any form of any of the values; the longest first, so that no rest of one stays."""
    forms = {form for value in values for secret in _secrets(value) for form in _forms(secret)}
    if not forms:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def _secrets(value: str) -> Iterator[str]:
    """The header's value, the token after its scheme, and the user and password inside `Basic`."""
    yield value
    scheme, _, token = value.partition(" ")
    yield token
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(token, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield pair
        yield pair.partition(":")[2]


def _forms(secret: str) -> Iterator[str]:
    """The spellings in which a secret may turn up: as it is, in a URL, in JSON, in base64."""
    if len(secret) < SHORTEST:
        return
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    escaped = json.dumps(secret)[1:-1]
    yield escaped
    yield escaped.replace("/", "\\/")
    data = secret.encode()
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        yield encoded.decode().rstrip("=")
