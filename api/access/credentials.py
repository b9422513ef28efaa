"""The credentials of requests: the admin key, an access key, or the cookie of a login."""

import hmac

from api.access.accounts import AccessKey
from api.access.cookies import login_secret
from api.access.digest import digest
from api.access.directory import Directory
from api.access.logins import Known
from api.access.principal import ADMIN, Connection, Principal
from api.access.role import allows
from api.access.same_origin import is_secure
from api.access.throttle import WrongKeys
from api.problem import HttpProblem
from api.tracking.body import bearer, wanted_headers

HOW_TO = (
    "send `Authorization: Bearer KEY` with an access key or the admin key of this server. The server made that one at "
    "its first start, in the folder `.headrace` of its project, or got it as HEADRACE_ADMIN_KEY"
)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Credentials:
    """Finds the principal of a request. Without an admin key, none is right.

    A right key is admitted at once. Wrong keys are answered one after another (see `WrongKeys`). A request with a key
    needs no cookie, and one that it has is not looked at.
    """

    def __init__(self, admin_key: str | None, directory: Directory) -> None:
        self._admin = None if admin_key is None else digest(admin_key)
        self._directory = directory
        self._wrong = WrongKeys()

    async def principal(self, connection: Connection) -> Principal:
        """Return the sender. Raises `HttpProblem`: 401, or 429 when too many wrong keys wait; and `Unavailable`."""
        given = bearer(wanted_headers(connection.scope["headers"]))
        return await self._of_login(connection) if given is None else await self._of_key(given)

    async def _of_key(self, given: str) -> Principal:
        if self._admin is not None and hmac.compare_digest(digest(given), self._admin):
            return ADMIN
        key = await self._directory.keys.find(given)
        if key is not None:
            await self._directory.masks.load()
            return _of_access_key(key)
        await self._wrong.wait_turn()
        raise HttpProblem(401, f"this is no key of this server: {HOW_TO}", CHALLENGE)

    async def _of_login(self, connection: Connection) -> Principal:
        secure = is_secure(connection, self._directory.public_url())
        secret = login_secret(connection, secure=secure)
        known = None if secret is None else await self._directory.logins.find(secret)
        if known is None:
            raise HttpProblem(401, HOW_TO, CHALLENGE)
        await self._directory.masks.load()
        return _of_user(known, self._directory.clock.now())


def _of_access_key(key: AccessKey) -> Principal:
    return Principal(key.name, key.role, "access key", sees_personal=key.personal and allows(key.role, "operator"))


def _of_user(known: Known, now: int) -> Principal:
    shows = now < known.login.personal_until and allows(known.user.role, "operator")
    return Principal(known.user.name, known.user.role, "session", sees_personal=shows, login=known.login)
