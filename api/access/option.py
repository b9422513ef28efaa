"""The option by which a route says which role it takes. A route without it cannot be served."""

from collections.abc import Iterable
from typing import Any, Final

from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from api.access.role import Access

ACCESS: Final = "access"  # the name of a member of a handler's `opt`


class Unguarded(Exception):
    """Some routes do not say which role they take: the application does not start. Add `access(...)` to their `opt`."""

    def __init__(self, paths: Iterable[str]) -> None:
        super().__init__(f"these routes need `access(...)` in their `opt`: {', '.join(paths)}")


def access(needed: Access) -> dict[str, Any]:
    """Return the `opt` of a route that takes a role; write it beside `described(...)`, joined by `|`.

    `public` routes are for everybody: those of senders, who have credentials of their own, and of health.
    """
    return {ACCESS: needed}


def access_of(handler: BaseRouteHandler) -> Access | None:
    """Return what a handler says; None if it says nothing."""
    found: Access | None = handler.opt.get(ACCESS)
    return found


def answers_options(handler: BaseRouteHandler) -> bool:
    """Return whether the framework has made a handler, which names the methods of an address."""
    return getattr(handler, "http_methods", None) == {"OPTIONS"} and not handler.opt


def require_access(app: Litestar) -> None:
    """Raise `Unguarded` if a route of the application does not say which role it takes."""
    bare = [
        f"{'/'.join(sorted(getattr(handler, 'http_methods', ['*'])))} {route.path}"
        for route in app.routes
        for handler in (route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler])
        if access_of(handler) is None and not answers_options(handler)
    ]
    if bare:
        raise Unguarded(sorted(bare))
