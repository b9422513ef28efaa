"""The guard of the whole application: no route is reached but by those who have the role that it takes."""

import hmac
from typing import Final

from litestar import Request
from litestar.handlers import BaseRouteHandler

from api.access.credentials import Credentials
from api.access.directory import Directory
from api.access.option import access_of, answers_options
from api.access.principal import Connection, Principal, remember
from api.access.role import Access, allows
from api.access.same_origin import SAFE, require_same_origin
from api.problem import HttpProblem

CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class AccessGuard:
    """Admits a request to a route if its credentials have the role that the route takes; denies it by default.

    A public route is for everybody. A route that says nothing is refused to all, also to administrators; `create_app`
    refuses to make an application that has one. What a cookie admits and is no reading must come from a page of its
    login: see `_require_csrf`.
    """

    def __init__(self, credentials: Credentials, directory: Directory) -> None:
        self._credentials = credentials
        self._directory = directory

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Admit the request, or raise `HttpProblem`: 401 without valid credentials, 403 where the role is too low."""
        needed = access_of(handler)
        if needed == "public" or (needed is None and answers_options(handler)):
            return
        if needed is None:
            raise HttpProblem(403, "this may not be done over HTTP")
        principal = await self._credentials.principal(connection)
        require_role(principal, needed)
        if principal.via == "session" and connection.scope["method"] not in SAFE:  # type: ignore[typeddict-item]  # of HTTP
            require_same_origin(connection, self._directory.public_url())
            await _require_csrf(connection, principal)
        remember(connection, principal)


def require_role(principal: Principal, needed: Access) -> None:
    """Raise `HttpProblem` (403) if a principal has not the role that a route, or a part of it, takes."""
    if not allows(principal.role, needed):
        raise HttpProblem(403, f"this takes the role `{needed}`, and `{principal.name}` has `{principal.role}`")


async def _require_csrf(connection: Connection, principal: Principal) -> None:
    """Raise `HttpProblem` (403) unless a request carries what only pages of its login know."""
    given = connection.headers.get(CSRF_HEADER, "")
    is_form = connection.headers.get("content-type", "").lower().startswith(FORMS)
    if not given and is_form and isinstance(connection, Request):
        found = (await connection.form()).get(CSRF_FIELD)
        given = found if isinstance(found, str) else ""
    if not hmac.compare_digest(given.encode(), principal.csrf.encode()) or not given:
        raise HttpProblem(403, "the page that sends this is out of date: load it again")
