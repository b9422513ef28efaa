"""Keys of foreign requests: the places outside of the body in which clients send the key of their source."""

from base64 import b64decode
from binascii import Error
from collections.abc import Iterator, Mapping
from typing import Final

from api.problem import HttpProblem
from api.tracking.body import bearer
from engine.tracking.foreign.translation import ForeignRequest

KEY: Final = "{key}"  # stands for the key of a source in an address


def keys_of(request: ForeignRequest, headers: tuple[bytes, ...], parameters: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys of a request: of `headers`, of `Authorization`, and of `parameters` of its query."""
    for header in headers:
        yield request.headers.get(header, b"").decode("latin-1").strip()
    yield bearer(request.headers) or ""
    yield basic_user(request.headers)
    for parameter in parameters:
        yield from request.query.get(parameter, ())


def basic_user(headers: Mapping[bytes, bytes]) -> str:
    """Return the user name of `Authorization: Basic …` (RFC 7617); empty without one."""
    scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (Error, UnicodeDecodeError):
        return ""


def key_of_path(address: str, request: ForeignRequest) -> str:
    """Return what the path of a request has in place of `KEY` in an address. Raises `HttpProblem` (404)."""
    before, _, after = address.partition(KEY)
    path = request.path.rstrip("/")
    key = path.removeprefix(before).removesuffix(after)
    if not key or "/" in key or path != before + key + after:
        raise HttpProblem(404, f"write {address}")
    return key
