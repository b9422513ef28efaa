"""HTTP requests: turns an ask and its target into one exact request, or refuses it with a reason. No I/O.

The target sets scheme, host and base path; the ask adds the rest of the path. Asks contain event data, so nothing in
an ask can change the host, leave the target's base path or replace the target's own headers.
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
from engine.project.source import FRAMING_HEADERS, Target

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_URL = 8000  # characters; servers refuse longer ones
_MAX_DECODINGS = 3  # a path that is encoded more often is an attack

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE_IN_PATH = "/%:@!$&'()*+,;=-._~"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INVALID_IN_HEADER = re.compile(r"[^\t\x20-\x7e]")
_INVALID_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")

_DEFAULT_HEADERS = {
    "accept": "application/json, text/plain;q=0.9, */*;q=0.5",
    "accept-encoding": "gzip, deflate",
    "user-agent": "headrace",
}
HOPS_HEADER = "headrace-hops"  # how many look-ups led to a request, one by the other
MAX_HOPS = 5


class RequestRefused(Exception):
    """A request that is not sent, or an answer that is not read. A retry would not help."""


class PreparedTarget(Struct, frozen=True):
    """A target that requests can be built for: its URL is parsed and its header names are in lower case."""

    url: URL
    headers: Mapping[str, str]
    private: bool
    max_bytes: int
    redirects: int
    redaction: Redaction


class HttpRequest(Struct, frozen=True):
    """One exact request. `private`: whether it may go to an address that is not public."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    private: bool


def prepare_target(target: Target) -> PreparedTarget:
    """Return the prepared target. Raises `RequestRefused` if its URL or headers cannot be used."""
    if _INVALID_IN_URL.search(target.url):
        raise RequestRefused("the target's url holds a space, a backslash or a control character")
    try:
        url = URL(target.url)
    except ValueError:
        raise RequestRefused("the target's url cannot be understood") from None
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise RequestRefused("the target's url is not http:// or https:// with a host")
    if url.raw_user is not None or url.raw_password is not None:
        raise RequestRefused("the target's url holds a user name; send credentials in its headers")
    if url.raw_fragment:
        raise RequestRefused("the target's url holds a fragment (#)")
    headers = {name.lower(): value for name, value in target.headers.items()}
    for name, value in headers.items():
        _check_header(name, value)
    return PreparedTarget(
        url=url,
        headers=headers,
        private=target.private,
        max_bytes=target.max_bytes,
        redirects=target.redirects,
        redaction=Redaction(target.headers, target.url),
    )


def build_request(target: PreparedTarget, ask: HttpAsk, hops: int = 0) -> HttpRequest:
    """Return the request for an ask. Raises `RequestRefused` if it cannot be sent safely.

    `hops` is how many look-ups led to the event, one by the other. A target that leads back to this server would
    otherwise never stop.
    """
    if hops >= MAX_HOPS:
        raise RequestRefused(f"{hops} requests have led to this event, one by the other: a target leads back to us")
    method = ask.method.upper()
    if method not in METHODS:
        raise RequestRefused(f"the method is none of {', '.join(sorted(METHODS))}")
    url = _url(target.url, ask)
    body = _body(ask)
    headers = dict(_DEFAULT_HEADERS)
    if body is not None:
        headers["content-type"] = "application/json" if ask.text is None else "text/plain; charset=utf-8"
    headers.update(_ask_headers(target, ask.headers))
    headers.update(target.headers)
    headers[HOPS_HEADER] = str(hops + 1)
    return HttpRequest(method=method, url=url, headers=headers, body=body, private=target.private)


def redirect_request(
    target: PreparedTarget, before: HttpRequest, status: int, location: str | None
) -> HttpRequest | None:
    """Return the request that follows a redirect, or None if the answer is no redirect. Raises `RequestRefused`.

    A request to another host carries none of the target's headers and no body, and is allowed only to a public address
    and to port 80 or 443.
    """
    if status not in _REDIRECTS or location is None:
        return None
    url = _redirect_url(before.url, location)
    method, body, headers = before.method, before.body, dict(before.headers)
    if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
        method, body = "GET", None
        headers.pop("content-type", None)
    if _same_host(target.url, url):
        return HttpRequest(method=method, url=url, headers=headers, body=body, private=before.private)
    if url.port not in {80, 443}:
        raise RequestRefused("the redirect leads to another host at an unusual port")
    if body is not None:
        raise RequestRefused("the redirect would carry the body to another host")
    headers = {**_DEFAULT_HEADERS, HOPS_HEADER: before.headers[HOPS_HEADER]}
    return HttpRequest(method=method, url=url, headers=headers, body=None, private=False)


def _redirect_url(before: URL, location: str) -> URL:
    if _INVALID_IN_URL.search(location) or len(location) > MAX_URL:
        raise RequestRefused("the redirect's address cannot be understood")
    try:
        url = before.join(URL(location)).with_fragment(None)
        usable = url.scheme in {"http", "https"} and url.raw_host and url.port
    except ValueError:
        usable = False
    if not usable:
        raise RequestRefused("the redirect's address is not http:// or https:// with a host")
    if url.raw_user is not None or url.raw_password is not None:
        raise RequestRefused("the redirect's address holds a user name")
    if before.scheme == "https" and url.scheme == "http":
        raise RequestRefused("the redirect leads from https to http")
    return url


def _same_host(target: URL, url: URL) -> bool:
    """Return whether `url` has the target's host and port, or port 443 of that host if the target has port 80."""
    if target.raw_host != url.raw_host:
        return False
    return target.port == url.port or (target.port, url.port) == (80, 443)


def _url(base: URL, ask: HttpAsk) -> URL:
    # "/" means the target's own URL, with or without a slash at its end
    path = base.raw_path if ask.path in {"", "/"} else base.raw_path.rstrip("/") + _path(ask.path)
    query = "&".join(part for part in (base.raw_query_string, _query(ask.query)) if part)
    text = f"{base.scheme}://{base.raw_authority}{path}" + (f"?{query}" if query else "")
    if len(text) > MAX_URL:
        raise RequestRefused(f"the address is longer than {MAX_URL} characters")
    return URL(text, encoded=True)


def _path(path: str) -> str:
    """Return `path`, which is already percent-encoded. Raises `RequestRefused` if it could leave the base path."""
    if not path.startswith("/"):
        raise RequestRefused("the path does not begin with /")
    if "?" in path or "#" in path:
        raise RequestRefused("the path holds ? or #; a query has a place of its own")
    if _BROKEN_ESCAPE.search(path):
        raise RequestRefused("the path holds a % that is not followed by two hex digits")
    if _CONTROL.search(path):
        raise RequestRefused("the path holds a control character")
    if "//" in path.replace("\\", "/"):
        raise RequestRefused("a part of the path is empty")
    for decoded in _decodings(path):
        if any(part.partition(";")[0].strip() in {".", ".."} for part in decoded.replace("\\", "/").split("/")):
            raise RequestRefused("a part of the path is . or ..")
    return _quoted(path)


def _decodings(path: str) -> Iterator[str]:
    """Yield the path in each form in which a server may read it: as it is, decoded once, decoded twice, and so on."""
    for _ in range(_MAX_DECODINGS):
        yield path
        path, before = unquote(path), path
        if path == before:
            return
    yield path
    if unquote(path) != path:
        raise RequestRefused(f"the path is encoded more than {_MAX_DECODINGS} times")


def _quoted(text: str) -> str:
    try:
        return quote(text, safe=_SAFE_IN_PATH)
    except UnicodeEncodeError:
        raise RequestRefused("the path holds half a character (a lone surrogate)") from None


def _query(query: Mapping[str, Any]) -> str:
    pairs = [(name, _query_text(name, item)) for name, value in query.items() for item in _query_values(value)]
    try:
        return urlencode(pairs, quote_via=quote, safe="")
    except UnicodeEncodeError:
        raise RequestRefused("the query holds half a character (a lone surrogate)") from None


def _query_values(value: Any) -> list[Any]:
    """Return the values for one name: a list repeats the name, and null leaves it out."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _query_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return msgspec.json.encode(value).decode()
    raise RequestRefused(f"query.{name} is neither text, number, boolean nor a list of them")


def _ask_headers(target: PreparedTarget, headers: Mapping[str, str]) -> dict[str, str]:
    headers = {name.lower(): value for name, value in headers.items()}
    for name, value in headers.items():
        _check_header(name, value)
        if name in target.headers:
            raise RequestRefused(f"the header {name} is the target's own")
    return headers


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise RequestRefused("a header's name holds a character that headers cannot carry")
    if name in FRAMING_HEADERS or name.startswith("proxy-"):
        raise RequestRefused(f"the header {name} belongs to the connection")
    if _INVALID_IN_HEADER.search(value):
        raise RequestRefused(f"the header {name} holds a line break or a character that headers cannot carry")


def _body(ask: HttpAsk) -> bytes | None:
    try:
        if ask.text is not None:
            return ask.text.encode()
        return None if ask.body is None else msgspec.json.encode(ask.body)
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError):
        raise RequestRefused("the body cannot be written as JSON, or in UTF-8") from None
