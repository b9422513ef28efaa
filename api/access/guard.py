"""The guard of the whole application: no route is reached but by those who have the role that it takes."""

from litestar.handlers import BaseRouteHandler

from api.access.credentials import Credentials
from api.access.option import access_of, answers_options
from api.access.principal import Connection, remember
from api.access.role import allows
from api.problem import HttpProblem


class AccessGuard:
    """Admits a request to a route if its credentials have the role that the route takes; denies it by default.

    A public route is for everybody. A route that says nothing is refused to all, also to administrators; `create_app`
    refuses to make an application that has one.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Admit the request, or raise `HttpProblem`: 401 without valid credentials, 403 where the role is too low."""
        needed = access_of(handler)
        if needed == "public" or (needed is None and answers_options(handler)):
            return
        if needed is None:
            raise HttpProblem(403, "this may not be done over HTTP")
        principal = await self._credentials.principal(connection)
        if not allows(principal.role, needed):
            raise HttpProblem(403, f"this takes the role `{needed}`, and `{principal.name}` has `{principal.role}`")
        remember(connection, principal)
