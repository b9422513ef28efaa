"""The endpoints of all foreign protocols: the `ENDPOINTS` of each module of this package that has them."""

from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from litestar import asgi
from litestar.handlers import ASGIRouteHandler

import api.tracking
from api.access.option import access
from api.addressing import plain_path
from api.description.operation import operations
from api.tracking.foreign import LARGE_BODY, Configuration, Endpoint, ForeignTracking
from api.tracking.keys import KEY
from api.tracking.webhooks import ADDRESSES as WEBHOOK_ADDRESSES
from engine.tracking.intake.payload import MAX_BODY

# Where the addresses of Headrace's own protocol and of webhooks begin.
OWN: Final = ("/track", "/collect", "/consent", *(f"{address}/" for address in WEBHOOK_ADDRESSES))


@cache
def endpoints() -> tuple[Endpoint | Configuration, ...]:
    """Return the endpoints of all protocols, in the order of their modules' names."""
    names = sorted(module.name for module in iter_modules(api.tracking.__path__))
    modules = [import_module(f"api.tracking.{name}") for name in names]
    return tuple([endpoint for module in modules for endpoint in getattr(module, "ENDPOINTS", ())])


def foreign_handlers(tracking: ForeignTracking) -> list[ASGIRouteHandler]:
    """Return the handlers of all endpoints."""
    return [handler for endpoint in endpoints() for handler in _handlers(tracking, endpoint)]


def takes_events(path: str) -> bool:
    """Return whether requests for a path carry events, so that they pass the gate."""
    path = plain_path(path)
    return path.startswith(OWN) or path in _limits()


def most_bytes(path: str) -> int:
    """Return the largest body that is read at a path, decompressed."""
    if path.startswith("/import"):
        return LARGE_BODY
    return _limits().get(plain_path(path), MAX_BODY)


@cache
def _limits() -> dict[str, int]:
    """Return the largest body of each address that takes events."""
    taking = [endpoint for endpoint in endpoints() if isinstance(endpoint, Endpoint)]
    return {address: endpoint.most_bytes for endpoint in taking for address in endpoint.addresses}


def _handlers(tracking: ForeignTracking, endpoint: Endpoint | Configuration) -> Iterator[ASGIRouteHandler]:
    """Yield a handler for the plain addresses of an endpoint, and one for all paths where addresses with a key begin.

    Such a handler is mounted: the router divides no path for a handler that is an ASGI application.
    """
    handle, described = partial(tracking.handle, endpoint), access("public") | operations(*endpoint.operations)
    if plain := [address for address in endpoint.addresses if KEY not in address]:
        yield asgi(plain, copy_scope=True, opt=described)(handle)
    for address in endpoint.addresses:
        if KEY in address:
            yield asgi(address.partition(KEY)[0].rstrip("/"), is_mount=True, copy_scope=True, opt=described)(handle)
