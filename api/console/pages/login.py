"""`/console/login`: signing in, with a password or through a one-time link, and signing out."""

from typing import Any

import structlog
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from litestar.response import Redirect

from api.access.accounts import Refused, User
from api.access.audit import Notes
from api.access.cookies import clear_login, set_login
from api.access.directory import Directory, directory_of
from api.access.option import access
from api.access.passwords import LEAST, MOST, require_strong
from api.access.principal import Principal, principal_of
from api.access.same_origin import is_secure, require_same_origin
from api.console.signing_in import HOME, LOGIN, inside
from api.console.site import HEADERS, Site
from api.console.words import many
from api.problem import HttpProblem

Form = dict[str, str]

log = structlog.get_logger("headrace.access")


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of signing in and out."""

    @get(LOGIN, include_in_schema=False, opt=access("public"))
    async def form(
        request: Request[Any, Any, Any], next: FromQuery[str] = HOME, setup: FromQuery[str] = ""
    ) -> Response[str]:
        if setup:
            return await _setup_form(site, request, setup)
        return _login_form(site, request, next=next)

    @post(LOGIN, status_code=200, include_in_schema=False, opt=access("public"))
    async def login(request: Request[Any, Any, Any]) -> Response[Any]:
        directory, given = await _given(request)
        name, address = given.get("name", "").strip().lower()[:100], _address_of(request)
        wait = directory.attempts.begin(name, address)
        if wait:
            said = f"There were too many attempts: wait {many(wait, 'second')}."
            return _login_form(site, request, next=given.get("next", HOME), name=name, said=said, status=429, wait=wait)
        user = await directory.users.one(name)
        if not await directory.passwords.fits(given.get("password", ""), user) or user is None:
            log.warning("a login was refused", address=address)
            left = directory.attempts.left(name, address)
            said = f"Name and password do not fit together. {_left(left)}"
            return _login_form(site, request, next=given.get("next", HOME), name=name, said=said, status=401)
        directory.attempts.succeeded(name, address)
        if directory.passwords.is_weak(user.password):
            stronger = await directory.passwords.hash(given["password"])
            await directory.users.strengthen(name, stronger, instead_of=user.password)
        return await _signed_in(request, directory, user, inside(given.get("next", HOME)), "sign in")

    @post(f"{LOGIN}/setup", status_code=200, include_in_schema=False, opt=access("public"))
    async def set_password(request: Request[Any, Any, Any]) -> Response[Any]:
        directory, given = await _given(request)
        secret, password = given.get("setup", ""), given.get("password", "")
        try:
            invited = await directory.users.invited(secret)
            require_strong(password, invited.name or given.get("name", "").strip().lower())
            if password != given.get("again"):
                raise Refused("the two passwords differ")
            hash = await directory.passwords.hash(password)
            user = await directory.users.redeem(secret, given.get("name", ""), hash)
        except Refused as refused:
            return await _setup_form(site, request, secret, said=str(refused), name=given.get("name", ""))
        return await _signed_in(request, directory, user, HOME, "set a password by a link")

    @post("/console/logout", status_code=200, include_in_schema=False, opt=access("viewer"))
    async def logout(request: Request[Any, Any, Any]) -> Response[Any]:
        directory, principal = directory_of(request.app), principal_of(request)
        if principal.login is not None:
            await directory.logins.end(principal.login)
        secure = is_secure(request, directory.public_url())
        gone = {"Set-Cookie": clear_login(secure=secure), "Clear-Site-Data": '"cache", "storage"'}
        return Redirect(LOGIN, status_code=303, headers=gone)

    return [form, login, set_password, logout]


async def _given(request: Request[Any, Any, Any]) -> tuple[Directory, Form]:
    """Return the directory and the texts of a form that a page of this server has sent. Raises `HttpProblem` (403)."""
    directory = directory_of(request.app)
    require_same_origin(request, directory.public_url())
    return directory, await texts_of(request)


async def texts_of(request: Request[Any, Any, Any]) -> Form:
    """Return the texts of a form, by name. Raises `HttpProblem` (415)."""
    if not request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        raise HttpProblem(415, "send a form")
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _login_form(
    site: Site,
    request: Request[Any, Any, Any],
    *,
    next: str,
    name: str = "",
    said: str = "",
    status: int = 200,
    wait: int = 0,
) -> Response[str]:
    page = site.page(request, "login.html", status=status, next=inside(next), name=name, said=said, bad=status != 200)
    if wait:
        page.headers["Retry-After"] = str(wait)
    return page


async def _setup_form(
    site: Site, request: Request[Any, Any, Any], secret: str, said: str = "", name: str = ""
) -> Response[str]:
    try:
        invited = await directory_of(request.app).users.invited(secret)
    except Refused as refused:
        detail = f"{str(refused)[0].upper()}{str(refused)[1:]}. Ask an administrator for a new one."
        return site.page(
            request, "failure_stranger.html", status=403, headline="This link does not work", detail=detail
        )
    known: dict[str, Any] = {"invited": invited, "secret": secret, "least": LEAST, "most": MOST}
    return site.page(request, "setup.html", status=422 if said else 200, said=said, name=name, **known)


async def _signed_in(
    request: Request[Any, Any, Any], directory: Directory, user: User, next: str, action: str
) -> Response[Any]:
    """Begin a login, always a new one, and lead on."""
    secret = await directory.logins.begin(user)
    await directory.audit.write(Principal(user.name, user.role, "session"), action, "done", Notes((), ""))
    secure = is_secure(request, directory.public_url())
    return Redirect(next, status_code=303, headers={**HEADERS, "Set-Cookie": set_login(secret, secure=secure)})


def _address_of(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client is not None else ""


def _left(attempts: int) -> str:
    if not attempts:
        return "Wait a minute before the next attempt."
    return f"After {many(attempts, 'more attempt')} this address waits a minute."
