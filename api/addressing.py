"""Addresses with ids in them: an id may hold any printable character, also `/` and `%`, percent-encoded.

A server decodes a path before the router divides it, so `/events/a%2Fb` would have one part too many. The router
therefore gets the path with each of its parts encoded again, and a handler gets the parts decoded.
"""

from urllib.parse import quote, unquote

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from api.request_id import current


class Application(Litestar):
    """A Litestar application whose paths are divided before they are decoded. It needs `decode_path_parameters`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """Route a request by its undecoded path."""
        if scope["type"] == ScopeType.HTTP:
            scope["path"] = routed_path(scope)
            current.set(scope)
        await super().__call__(scope, receive, send)


def decode_path_parameters(app: ASGIApp) -> ASGIApp:
    """Return a middleware that decodes the path parameters which the router has found."""

    async def decode(scope: Scope, receive: Receive, send: Send) -> None:
        found = scope.get("path_params")
        if found:  # a new dictionary, since the router caches the one that it returns
            scope["path_params"] = {name: unquote(value) for name, value in found.items()}
        await app(scope, receive, send)

    return decode


def plain_path(path: str) -> str:
    """Return a path as the router compares it: without empty parts, so `//track/` is `/track`."""
    return "/" + "/".join([part for part in path.split("/") if part])


def routed_path(scope: Scope) -> str:
    """Return the path of a request, each part encoded in the one way in which all spellings of it are equal."""
    parts = scope["raw_path"].decode("latin-1").partition("?")[0].split("/")  # some servers add the query
    return "/".join([quote(unquote(part), safe="") for part in parts])
