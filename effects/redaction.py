"""Redaction: replaces the exact values of a target's secrets by `***` in every text that is printed or stored."""

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from engine.project.secret import secrets_in

MIN_SECRET = 6  # characters; a shorter value would also match text that is no secret
REDACTED = "***"

_PARTS = re.compile(r"\\+|.", re.DOTALL)  # a run of backslashes is one part: else a run could be divided in many ways
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
    secrets = {secret for value in values for secret in _secrets(value) if len(secret) >= MIN_SECRET}
    if not secrets:
        return None
    ordered = sorted(secrets, key=len, reverse=True)
    spelled = ["".join(map(_spellings, _PARTS.findall(secret))) for secret in ordered]
    return re.compile("|".join([*spelled, *(re.escape(text) for secret in ordered for text in _in_base64(secret))]))


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


def _spellings(part: str) -> str:
    """Return a pattern for the spellings of a character, or of a run of backslashes: in a URL, in JSON, in HTML.

    Encoders differ in the characters that they escape and in the case of the digits, so each has all its spellings.
    """
    if part.isascii() and part.isalnum():
        return part
    percent = quote(part, safe="")
    escaped = json.dumps(part)[1:-1]
    encoded = part.encode("utf-16-be", "surrogatepass")
    units = [encoded[at : at + 2].hex() for at in range(0, len(encoded), 2)]
    found = {part, percent, percent.lower(), quote_plus(part), escaped, escaped.replace("/", "\\/"), html.escape(part)}
    found |= {"".join([f"\\u{unit}" for unit in form]) for form in (units, [unit.upper() for unit in units])}
    found |= {f"&#{ord(part)};"} if len(part) == 1 else set()
    return f"(?:{'|'.join(re.escape(spelling) for spelling in sorted(found, key=len, reverse=True))})"


def _in_base64(secret: str) -> Iterator[str]:
    data = secret.encode()
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        yield encoded.decode().rstrip("=")
