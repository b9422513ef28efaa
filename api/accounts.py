"""Routes of users and access keys, for `headrace user` and `headrace access key`. Secrets are answered once."""

from typing import Any, Final

from litestar import Request, Router, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api.access.accounts import AccessKey, User
from api.access.administration import administration_of
from api.access.directory import directory_of
from api.access.option import access
from api.access.role import Role
from api.description.operation import described
from api.unmerge import no_foreign_page

SETUP: Final = "/console/login?setup="  # the secret of a one-time link follows


class NewUser(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: a user to make."""

    name: str
    role: Role


class NewRole(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: the role that a user gets."""

    role: Role


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: an access key to make. `personal` shows it personal data."""

    name: str
    role: Role
    personal: bool = False


class ListedUser(Struct, frozen=True):
    """A user, without secrets. `invited` says until when (ms) a link that sets the password is valid."""

    name: str
    role: Role
    created: int
    has_password: bool
    invited: int | None = None


class ListedKey(Struct, frozen=True):
    """An access key, without the key. `used` (ms) is about when it was last used; 0: never."""

    name: str
    role: Role
    personal: bool
    created: int
    by: str
    used: int


class SetupLink(Struct, frozen=True):
    """The path, on this server, of a page that sets a password: once, and within a day."""

    link: str


class MadeKey(Struct, frozen=True):
    """An access key. It is answered this once."""

    key: str


class Done(Struct, frozen=True):
    """The name of the user or access key that was changed."""

    done: str


_USER: Final = {"name": "ann", "role": "operator", "created": 1_764_547_200_000, "has_password": True, "invited": None}
_KEY: Final = {
    "name": "ci",
    "role": "viewer",
    "personal": False,
    "created": 1_764_547_200_000,
    "by": "admin",
    "used": 0,
}
_LINK: Final = {"link": f"{SETUP}b1946ac92492d2347c6235b4d2611184"}
_DONE: Final = {"done": "ann"}


def account_router() -> Router:
    """Return the routes."""
    return Router("/", route_handlers=[*_user_handlers(), *_key_handlers()], tags=["access"])


def _user_handlers() -> list[HTTPRouteHandler]:
    @get(
        "/access/users",
        summary="The users",
        opt=access("admin") | described("listUsers", list[ListedUser], example=[_USER]),
    )
    async def users(request: Request[Any, Any, Any]) -> list[ListedUser]:
        return [listed_user(user) for user in await directory_of(request.app).users.all()]

    @post(
        "/access/users",
        status_code=200,
        summary="Make a user",
        guards=[no_foreign_page],
        opt=access("admin")
        | described("addUser", SetupLink, 409, example=_LINK, body={"name": "ann", "role": "operator"}),
    )
    async def add(request: Request[Any, Any, Any], data: JSONBody[NewUser]) -> SetupLink:
        return SetupLink(SETUP + await administration_of(request).add_user(data.name, data.role))

    @post(
        "/access/users/{name:str}/role",
        status_code=200,
        summary="Change the role of a user",
        guards=[no_foreign_page],
        opt=access("admin") | described("giveRole", Done, 409, example=_DONE, body={"role": "viewer"}),
    )
    async def role(request: Request[Any, Any, Any], name: FromPath[str], data: JSONBody[NewRole]) -> Done:
        await administration_of(request).give_role(name, data.role)
        return Done(name)

    @post(
        "/access/users/{name:str}/reset",
        status_code=200,
        summary="Void the password of a user",
        guards=[no_foreign_page],
        opt=access("admin") | described("resetUser", SetupLink, 409, example=_LINK),
    )
    async def reset(request: Request[Any, Any, Any], name: FromPath[str]) -> SetupLink:
        return SetupLink(SETUP + await administration_of(request).reset(name))

    @post(
        "/access/users/{name:str}/remove",
        status_code=200,
        summary="Remove a user",
        guards=[no_foreign_page],
        opt=access("admin") | described("removeUser", Done, 409, example=_DONE),
    )
    async def remove(request: Request[Any, Any, Any], name: FromPath[str]) -> Done:
        await administration_of(request).remove_user(name)
        return Done(name)

    return [users, add, role, reset, remove]


def _key_handlers() -> list[HTTPRouteHandler]:
    @get(
        "/access/keys",
        summary="The access keys",
        opt=access("admin") | described("listAccessKeys", list[ListedKey], example=[_KEY]),
    )
    async def keys(request: Request[Any, Any, Any]) -> list[ListedKey]:
        return [listed_key(key) for key in await directory_of(request.app).keys.all()]

    @post(
        "/access/keys",
        status_code=200,
        summary="Make an access key",
        guards=[no_foreign_page],
        opt=access("admin")
        | described("addAccessKey", MadeKey, 409, example={"key": "hrk_…"}, body={"name": "ci", "role": "viewer"}),
    )
    async def add(request: Request[Any, Any, Any], data: JSONBody[NewKey]) -> MadeKey:
        return MadeKey(await administration_of(request).add_key(data.name, data.role, personal=data.personal))

    @post(
        "/access/keys/{name:str}/remove",
        status_code=200,
        summary="Revoke an access key",
        guards=[no_foreign_page],
        opt=access("admin") | described("removeAccessKey", Done, 409, example={"done": "ci"}),
    )
    async def remove(request: Request[Any, Any, Any], name: FromPath[str]) -> Done:
        await administration_of(request).remove_key(name)
        return Done(name)

    return [keys, add, remove]


def listed_user(user: User) -> ListedUser:
    """Return a user without secrets."""
    invited = None if user.link is None else user.link.expires
    return ListedUser(user.name, user.role, user.created, bool(user.password), invited)


def listed_key(key: AccessKey) -> ListedKey:
    """Return an access key without its digest."""
    return ListedKey(key.name, key.role, key.personal, key.created, key.by, key.used)
