"""Redaction: replaces the exact values of a target's secrets by `***` in every text that is printed or stored."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from engine.project.secret import secrets_in

MIN_SECRET = 6  # characters; a shorter value would also match text that is no secret
REDACTED = "***"

_LITERAL_IN_URL = "/:@!$&'()*+,;=?"  # what a URL may keep as it is in its path or query (RFC 3986)
_CREDENTIAL = re.compile(r"auth|cookie|credential|key|password|secret|session|signature|token", re.IGNORECASE)


class Redaction:
    """Hides the secrets of a target: the values of its headers, and those in its URL.

    Secret in a URL are the values of references (`${env:NAME}`), and of query parameters that are credentials by their
    name. `text`, for Headrace's own words about a call, hides these and the values of all headers. `body`, for the body
    of an answer, hides of the headers only references and the values of those that are credentials by their name, so
    that `Accept: application/json` does not damage the data.
    """

    def __init__(self, headers: Mapping[str, str], url: str = "") -> None:
        secret = [*_secrets_in_url(url), *(secret for value in headers.values() for secret in secrets_in(value))]
        credentials = [value for name, value in headers.items() if _CREDENTIAL.search(name)]
        self._all = _pattern([*headers.values(), *secret])
        self._credentials = _pattern([*credentials, *secret])

    def text(self, text: str) -> str:
        """Return `text` without the secrets, and without the values of any header."""
        return text if self._all is None else self._all.sub(REDACTED, text)

    def body(self, body: str) -> str:
        """Return `body`, which the target sent, without the secrets that it repeats."""
        return body if self._credentials is None else self._credentials.sub(REDACTED, body)


def _pattern(values: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for every spelling of the values; the longest first, so that each is replaced as a whole."""
    spellings = {spelling for value in values for secret in _secrets(value) for spelling in _spellings(secret)}
    if not spellings:
        return None
    return re.compile("|".join(re.escape(spelling) for spelling in sorted(spellings, key=len, reverse=True)))


def _secrets_in_url(url: str) -> list[str]:
    query = parse_qsl(urlsplit(url).query)
    return [*secrets_in(url), *(value for name, value in query if _CREDENTIAL.search(name))]


def _secrets(value: str) -> Iterator[str]:
    """Yield the header's value, the token after its scheme, and the user name and password inside `Basic`."""
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


def _spellings(secret: str) -> Iterator[str]:
    """Yield the spellings of a secret: as it is, in a URL, in JSON, in base64."""
    if len(secret) < MIN_SECRET:
        return
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote(secret, safe=_LITERAL_IN_URL)
    yield quote_plus(secret)
    escaped = json.dumps(secret)[1:-1]
    yield escaped
    yield escaped.replace("/", "\\/")
    data = secret.encode()
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        yield encoded.decode().rstrip("=")
