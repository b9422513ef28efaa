"""The principal of a request: in whose name it comes, and which role it has."""

from typing import Any, Final, Literal

from litestar.connection import ASGIConnection
from msgspec import Struct

from api.access.role import Role
from engine.ports.login import Login

Via = Literal["admin key", "access key", "session", "command"]

_PLACE: Final = "user"  # in an ASGI scope, where the framework looks for it as well


class Principal(Struct, frozen=True):
    """The sender of a request. `name` is that of a user or an access key, and `admin` for the admin key of the server.

    `sees_personal` says whether personal data is shown: otherwise it is masked. A request that came with a cookie
    has a `login`.
    """

    name: str
    role: Role
    via: Via
    sees_personal: bool = False
    login: Login | None = None

    @property
    def csrf(self) -> str:
        """The text that every form of the console carries as `csrf`; empty where no cookie is sent."""
        return "" if self.login is None else self.login.csrf


ADMIN: Final = Principal("admin", "admin", "admin key", sees_personal=True)

Connection = ASGIConnection[Any, Any, Any, Any]


def remember(connection: Connection, principal: Principal) -> None:
    """Note the principal of a request."""
    connection.scope[_PLACE] = principal


def principal_of(connection: Connection) -> Principal:
    """Return the principal of a request that the guard has admitted. Raises `LookupError` on a public route."""
    found = connection.scope.get(_PLACE)
    if not isinstance(found, Principal):
        raise LookupError("a request to a public route has no principal")
    return found
