"""Calls: what a look-up asks of a target as one exact request, or the reason why it is refused. Pure.

The target gives scheme, host and the path above; an ask adds what stands below. Nothing in an ask, which is made of
event data, can change the host, climb above the target's path or speak over the target's own headers.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

import msgspec
from msgspec import Struct
from yarl import URL

from effects.redaction import Redaction
from engine.flow.ask import HttpAsk
from engine.project.source import Target

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LONGEST_URL = 8000  # characters; servers refuse more
_MAX_DECODINGS = 3  # a path that is still encoded then is meant to deceive

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PATH_CHARACTERS = "/%:@!$&'()*+,;=-._~"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_A_HEADER = re.compile(r"[^\t\x20-\x7e]")
_NOT_IN_A_TARGET = re.compile(r"[\x00-\x20\x7f\\]")

# What frames a message or belongs to the connection; an ask that sets it could smuggle a second request.
_FRAMING = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_DEFAULTS = {
    "accept": "application/json, text/plain;q=0.9, */*;q=0.5",
    "accept-encoding": "gzip, deflate",
    "user-agent": "headrace",
}


class Refused(Exception):
    """A call that is not made, or an answer that is not read; trying again would not help."""


class TargetSite(Struct, frozen=True):
    """A target made ready: its address taken apart, its header names in lower case, its secrets known."""

    url: URL
    headers: Mapping[str, str]
    private: bool
    max_bytes: int
    redirects: int
    redaction: Redaction


class HttpRequest(Struct, frozen=True):
    """One exact request. `private`: whether the address may be one that is not public."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    private: bool


def site(target: Target) -> TargetSite:
    """`target` made ready for calls. Raises `Refused` if its address or headers cannot be used."""
    if _NOT_IN_A_TARGET.search(target.url):
        raise Refused("the target's url holds a space, a backslash or a control character")
    try:
        url = URL(target.url)
    except ValueError:
        raise Refused("the target's url cannot be understood") from None
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise Refused("the target's url is not http:// or https:// with a host")
    if url.raw_user is not None or url.raw_password is not None:
        raise Refused("the target's url holds a user name; send credentials in its headers")
    if url.raw_fragment:
        raise Refused("the target's url holds a fragment (#)")
    headers = {name.lower(): value for name, value in target.headers.items()}
    for name, value in headers.items():
        _check_header(name, value)
    return TargetSite(
        url=url,
        headers=headers,
        private=target.private,
        max_bytes=target.max_bytes,
        redirects=target.redirects,
        redaction=Redaction(target.headers),
    )


def build_request(place: TargetSite, ask: HttpAsk) -> HttpRequest:
    """The request that `ask` means. Raises `Refused`."""
    method = ask.method.upper()
    if method not in METHODS:
        raise Refused(f"the method is none of {', '.join(sorted(METHODS))}")
    url = _url(place.url, ask)
    body = None if ask.body is None else _body(ask.body)
    headers = dict(_DEFAULTS)
    if body is not None:
        headers["content-type"] = "application/json"
    headers.update(_asked_headers(place, ask.headers))
    headers.update(place.headers)
    return HttpRequest(method=method, url=url, headers=headers, body=body, private=place.private)


def redirected(place: TargetSite, before: HttpRequest, status: int, location: str | None) -> HttpRequest | None:
    """The call that an answer leads on to, or None if it leads nowhere. Raises `Refused`.

    Only the target itself gets the target's headers and may be private; a redirect that leaves it is a call to a
    stranger, at a public address and an ordinary port.
    """
    if status not in _REDIRECTS or location is None:
        return None
    url = _hop(before.url, location)
    method, body, headers = before.method, before.body, dict(before.headers)
    if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
        method, body = "GET", None
        headers.pop("content-type", None)
    if _same_party(place.url, url):
        return HttpRequest(method=method, url=url, headers=headers, body=body, private=before.private)
    if url.port not in {80, 443}:
        raise Refused("the redirect leads to another host at an unusual port")
    if body is not None:
        raise Refused("the redirect would carry the body to another host")
    return HttpRequest(method=method, url=url, headers=_DEFAULTS, body=None, private=False)


def _hop(before: URL, location: str) -> URL:
    if _NOT_IN_A_TARGET.search(location) or len(location) > LONGEST_URL:
        raise Refused("the redirect's address cannot be understood")
    try:
        url = before.join(URL(location)).with_fragment(None)
        usable = url.scheme in {"http", "https"} and url.raw_host and url.port
    except ValueError:
        usable = False
    if not usable:
        raise Refused("the redirect's address is not http:// or https:// with a host")
    if url.raw_user is not None or url.raw_password is not None:
        raise Refused("the redirect's address holds a user name")
    if before.scheme == "https" and url.scheme == "http":
        raise Refused("the redirect leads from https to http")
    return url


def _same_party(target: URL, url: URL) -> bool:
    """Whether `url` is the target's own host and port, or the same host's https where the target is http."""
    if target.raw_host != url.raw_host:
        return False
    return target.port == url.port or (target.port, url.port) == (80, 443)


def _url(base: URL, ask: HttpAsk) -> URL:
    # "/" is the target's own address, whether that ends in a slash or not
    path = base.raw_path if ask.path in {"", "/"} else base.raw_path.rstrip("/") + _path(ask.path)
    query = "&".join(part for part in (base.raw_query_string, _query(ask.query)) if part)
    text = f"{base.scheme}://{base.raw_authority}{path}" + (f"?{query}" if query else "")
    if len(text) > LONGEST_URL:
        raise Refused(f"the address is longer than {LONGEST_URL} characters")
    return URL(text, encoded=True)


def _path(path: str) -> str:
    """`path`, which is encoded already, if it stays below where it is put."""
    if not path.startswith("/"):
        raise Refused("the path does not begin with /")
    if "?" in path or "#" in path:
        raise Refused("the path holds ? or #; a query has a place of its own")
    if _BROKEN_ESCAPE.search(path):
        raise Refused("the path holds a % that encodes nothing")
    if _CONTROL.search(path):
        raise Refused("the path holds a control character")
    if "//" in path.replace("\\", "/"):
        raise Refused("a part of the path is empty")
    for reading in _readings(path):
        if any(part.partition(";")[0].strip() in {".", ".."} for part in reading.replace("\\", "/").split("/")):
            raise Refused("the path climbs: a part of it is . or ..")
    return _quoted(path)


def _readings(path: str) -> Iterator[str]:
    """The path as servers may read it: as it stands, then decoded again and again."""
    for _ in range(_MAX_DECODINGS):
        yield path
        path, before = unquote(path), path
        if path == before:
            return
    yield path
    if unquote(path) != path:
        raise Refused("the path is encoded many times over")


def _quoted(text: str) -> str:
    try:
        return quote(text, safe=_PATH_CHARACTERS)
    except UnicodeEncodeError:
        raise Refused("the path holds half a character (a lone surrogate)") from None


def _query(query: Mapping[str, Any]) -> str:
    pairs = [(name, _query_text(name, item)) for name, value in query.items() for item in _each(value)]
    try:
        return urlencode(pairs, quote_via=quote, safe="")
    except UnicodeEncodeError:
        raise Refused("the query holds half a character (a lone surrogate)") from None


def _each(value: Any) -> list[Any]:
    """A list is the same name several times, and null is nothing."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _query_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return msgspec.json.encode(value).decode()
    raise Refused(f"query.{name} is neither text, number, boolean nor a list of them")


def _asked_headers(place: TargetSite, asked: Mapping[str, str]) -> dict[str, str]:
    headers = {name.lower(): value for name, value in asked.items()}
    for name, value in headers.items():
        _check_header(name, value)
        if name in place.headers:
            raise Refused(f"the header {name} is the target's own")
    return headers


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise Refused("a header's name holds a character that headers cannot carry")
    if name in _FRAMING or name.startswith("proxy-"):
        raise Refused(f"the header {name} belongs to the connection")
    if _NOT_IN_A_HEADER.search(value):
        raise Refused(f"the header {name} holds a line break or a character that headers cannot carry")


def _body(body: Any) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError):
        raise Refused("the body cannot be written as JSON") from None
