"""The credentials of requests: the admin key."""

import hmac

from api.access.digest import digest
from api.access.principal import ADMIN, Connection, Principal
from api.access.throttle import WrongKeys
from api.problem import HttpProblem
from api.tracking.body import bearer, wanted_headers

HOW_TO = (
    "send `Authorization: Bearer KEY` with the admin key of this server. The server made it at its first start, in the "
    "folder `.headrace` of its project, or got it as HEADRACE_ADMIN_KEY"
)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Credentials:
    """Finds the principal of a request. Without an admin key, no key is right.

    A right key is admitted at once. Wrong keys are answered one after another (see `WrongKeys`).
    """

    def __init__(self, admin_key: str | None) -> None:
        self._admin = None if admin_key is None else digest(admin_key)
        self._wrong = WrongKeys()

    async def principal(self, connection: Connection) -> Principal:
        """Return who asks. Raises `HttpProblem`: 401, or 429 when too many wrong keys wait."""
        given = bearer(wanted_headers(connection.scope["headers"]))
        if given is None:
            raise HttpProblem(401, HOW_TO, CHALLENGE)
        if self._admin is not None and hmac.compare_digest(digest(given), self._admin):
            return ADMIN
        await self._wrong.wait_turn()
        raise HttpProblem(401, f"this is not the admin key: {HOW_TO}", CHALLENGE)
