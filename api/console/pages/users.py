"""`/console/users`: users and access keys, for administrators. Secrets are shown once, on the page that made them."""

from typing import Any, get_args

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from api.access.accounts import Refused
from api.access.audit import audited
from api.access.directory import directory_of
from api.access.option import access
from api.access.principal import principal_of
from api.access.role import MAY, ROLES, Role
from api.access.users import LINK_MS
from api.console.pages.login import texts_of
from api.console.signing_in import LOGIN
from api.console.site import Site
from api.problem import HttpProblem

USERS = "/console/users"
KEYS = f"{USERS}/keys"


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of users and access keys."""
    return [*_user_handlers(site), *_key_handlers(site)]


def _user_handlers(site: Site) -> list[HTTPRouteHandler]:
    @get(USERS, include_in_schema=False, opt=access("admin"))
    async def users(request: Request[Any, Any, Any]) -> Response[str]:
        return await _page(site, request)

    @post(USERS, status_code=200, include_in_schema=False, opt=access("admin"))
    async def add(request: Request[Any, Any, Any]) -> Response[str]:
        given = await texts_of(request)
        name, role = given.get("name", "").strip().lower(), role_of(given.get("role", ""))
        try:
            async with audited(request, "add a user", f"user/{name}") as notes:
                notes.detail = f"as {role}"
                secret = await directory_of(request.app).users.add(name, role)
        except Refused as refused:
            return await _page(site, request, said=str(refused), status=422)
        return await _page(site, request, link=link_of(site, request, secret), named=name)

    @post(f"{USERS}/{{name:str}}/{{change:str}}", status_code=200, include_in_schema=False, opt=access("admin"))
    async def change(request: Request[Any, Any, Any], name: FromPath[str], change: FromPath[str]) -> Response[str]:
        given, users = await texts_of(request), directory_of(request.app).users
        try:
            match change:
                case "role":
                    role = role_of(given.get("role", ""))
                    async with audited(request, "change the role of a user", f"user/{name}") as notes:
                        notes.detail = f"to {role}"
                        await users.give_role(name, role)
                    return await _page(site, request, said=f"{name} is {role} now, and signs in again.")
                case "reset":
                    async with audited(request, "reset the password of a user", f"user/{name}"):
                        secret = await users.reset(name)
                    return await _page(site, request, link=link_of(site, request, secret), named=name)
                case "remove":
                    async with audited(request, "remove a user", f"user/{name}"):
                        await users.remove(name)
                    return await _page(site, request, said=f"{name} is removed.")
        except Refused as refused:
            return await _page(site, request, said=str(refused), status=422)
        raise HttpProblem(404, "users have no such change")

    return [users, add, change]


def _key_handlers(site: Site) -> list[HTTPRouteHandler]:
    @post(KEYS, status_code=200, include_in_schema=False, opt=access("admin"))
    async def add(request: Request[Any, Any, Any]) -> Response[str]:
        given = await texts_of(request)
        name, role = given.get("name", "").strip().lower(), role_of(given.get("role", ""))
        personal, by = given.get("personal") == "yes", principal_of(request).name
        try:
            async with audited(request, "add an access key", f"key/{name}") as notes:
                notes.detail = f"as {role}{', with personal data' if personal else ''}"
                key = await directory_of(request.app).keys.add(name, role, by, personal=personal)
        except Refused as refused:
            return await _page(site, request, said=str(refused), status=422)
        return await _page(site, request, key=key, named=name)

    @post(f"{KEYS}/{{name:str}}/remove/it", status_code=200, include_in_schema=False, opt=access("admin"))
    async def remove(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[str]:
        try:
            async with audited(request, "revoke an access key", f"key/{name}"):
                await directory_of(request.app).keys.remove(name)
        except Refused as refused:
            return await _page(site, request, said=str(refused), status=422)
        return await _page(site, request, said=f"The key {name} is revoked.")

    return [add, remove]


def role_of(text: str) -> Role:
    """Return the role of a name. Raises `HttpProblem` (400)."""
    for role in ROLES:
        if role == text:
            return role
    raise HttpProblem(400, f"a role is one of {', '.join(get_args(Role))}")


def link_of(site: Site, request: Request[Any, Any, Any], secret: str) -> str:
    """Return the address by which a user sets a password."""
    public = site.project.settings.public_url.rstrip("/")
    return f"{public or str(request.base_url).rstrip('/')}{LOGIN}?setup={secret}"


async def _page(
    site: Site,
    request: Request[Any, Any, Any],
    *,
    said: str = "",
    status: int = 200,
    link: str = "",
    key: str = "",
    named: str = "",
) -> Response[str]:
    directory = directory_of(request.app)
    return site.page(
        request,
        "users.html",
        status=status,
        users=await directory.users.all(),
        keys=await directory.keys.all(),
        roles=MAY,
        hours=LINK_MS // 3_600_000,
        said=said,
        bad=status != 200,
        made_link=link,
        made_key=key,
        named=named,
    )
