"""`/console/users`: users and access keys, for administrators. Secrets are shown once, on the page that made them."""

from typing import Any, get_args

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from api.access.accounts import Refused
from api.access.administration import administration_of
from api.access.directory import directory_of
from api.access.option import access
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
            secret = await administration_of(request).add_user(name, role)
        except Refused as refused:
            return await _page(site, request, said=str(refused), status=422)
        return await _page(site, request, link=link_of(site, request, secret), named=name)

    @post(f"{USERS}/{{name:str}}/{{change:str}}", status_code=200, include_in_schema=False, opt=access("admin"))
    async def change(request: Request[Any, Any, Any], name: FromPath[str], change: FromPath[str]) -> Response[str]:
        given, changes = await texts_of(request), administration_of(request)
        try:
            match change:
                case "role":
                    role = role_of(given.get("role", ""))
                    await changes.give_role(name, role)
                    return await _page(site, request, said=f"{name} is {role} now, and signs in again.")
                case "reset":
                    secret = await changes.reset(name)
                    return await _page(site, request, link=link_of(site, request, secret), named=name)
                case "remove":
                    await changes.remove_user(name)
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
        personal = given.get("personal") == "yes"
        try:
            key = await administration_of(request).add_key(name, role, personal=personal)
        except Refused as refused:
            return await _page(site, request, said=str(refused), status=422)
        return await _page(site, request, key=key, named=name)

    @post(f"{KEYS}/{{name:str}}/remove/it", status_code=200, include_in_schema=False, opt=access("admin"))
    async def remove(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[str]:
        try:
            await administration_of(request).remove_key(name)
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
