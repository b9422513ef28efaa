"""`/console/account`: a user's own password, and showing personal data for a while."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from api.access.accounts import Refused
from api.access.audit import audited
from api.access.cookies import set_login
from api.access.directory import directory_of
from api.access.logins import PERSONAL_MS
from api.access.option import access
from api.access.passwords import LEAST, MOST, require_strong
from api.access.principal import principal_of
from api.access.role import MAY
from api.access.same_origin import is_secure
from api.console.pages.login import texts_of
from api.console.signing_in import inside
from api.console.site import HEADERS, Site
from api.problem import HttpProblem

ACCOUNT = "/console/account"


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of a user's own page."""

    @get(ACCOUNT, include_in_schema=False, opt=access("viewer"))
    async def account(request: Request[Any, Any, Any]) -> Response[str]:
        return _page(site, request)

    @post(f"{ACCOUNT}/password", status_code=200, include_in_schema=False, opt=access("viewer"))
    async def password(request: Request[Any, Any, Any]) -> Response[Any]:
        directory, principal, given = directory_of(request.app), principal_of(request), await texts_of(request)
        user = await directory.users.one(principal.name) if principal.login is not None else None
        if user is None:
            raise HttpProblem(403, "only a user who has signed in has a password")
        address = request.client.host if request.client is not None else ""
        if wait := directory.attempts.begin(user.name, address):
            raise HttpProblem(429, "there were too many attempts: wait a minute", {"Retry-After": str(wait)})
        try:
            if not await directory.passwords.fits(given.get("old", ""), user):
                raise Refused("this is not your present password")
            directory.attempts.succeeded(user.name, address)
            require_strong(given.get("password", ""), user.name)
            if given.get("password") != given.get("again"):
                raise Refused("the two passwords differ")
            hash = await directory.passwords.hash(given["password"])
            async with audited(request, "change the own password", f"user/{user.name}"):
                changed = await directory.users.set_password(user.name, hash, instead_of=user.password)
        except Refused as refused:
            return _page(site, request, said=str(refused), status=422)
        secure = is_secure(request, directory.public_url())
        cookie = set_login(await directory.logins.begin(changed), secure=secure)
        return Redirect(f"{ACCOUNT}?changed=yes", status_code=303, headers={**HEADERS, "Set-Cookie": cookie})

    @post("/console/personal", status_code=200, include_in_schema=False, opt=access("operator"))
    async def personal(request: Request[Any, Any, Any]) -> Response[Any]:
        directory, principal, given = directory_of(request.app), principal_of(request), await texts_of(request)
        if principal.login is None:
            raise HttpProblem(403, "personal data is shown in the console, to users who have signed in")
        if given.get("show") == "no":
            await directory.logins.hide_personal(principal.login)
        else:
            async with audited(request, "show personal data", reason=given.get("reason", "")) as notes:
                notes.detail = f"for {PERSONAL_MS // 60_000} minutes"
            await directory.logins.show_personal(principal.login)  # only after the entry has been written
        return Redirect(inside(given.get("next", ACCOUNT)), status_code=303, headers=dict(HEADERS))

    return [account, password, personal]


def _page(site: Site, request: Request[Any, Any, Any], *, said: str = "", status: int = 200) -> Response[str]:
    principal = principal_of(request)
    until = principal.login.personal_until if principal.login is not None else 0
    return site.page(
        request,
        "account.html",
        status=status,
        said=said,
        changed=request.query_params.get("changed") == "yes",
        may=MAY[principal.role],
        until=until if principal.sees_personal else 0,
        minutes=PERSONAL_MS // 60_000,
        least=LEAST,
        most=MOST,
    )
