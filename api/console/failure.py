"""Pages that say why there is no page: not found, refused, broken. Other addresses answer a problem document."""

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response

from api.console.signing_in import to_login
from api.console.site import Site

_WORDS: Final = {
    400: "This address was not understood",
    403: "Your role does not see this",
    404: "There is no such thing here",
    409: "This cannot be done now",
    429: "Too many attempts",
    500: "This page could not be made",
    503: "The store does not answer",
}
PREFIX: Final = "/console"


def is_page(request: Request[Any, Any, Any]) -> bool:
    """Return whether a request is for a page of the console, which a person reads."""
    path = request.url.path
    return path == PREFIX or (path.startswith(f"{PREFIX}/") and not path.startswith(f"{PREFIX}/static/"))


def failure_page(
    site: Site, request: Request[Any, Any, Any], status: int, detail: str, headers: Mapping[str, str] = {}
) -> Response[Any]:
    """Return the page of an error; without a login, what leads to one. It reads nothing from the store."""
    if status == 401:
        return to_login(request)
    page = site.page(
        request,
        "failure.html" if "user" in request.scope else "failure_stranger.html",
        status=status,
        headline=_WORDS.get(status, "Something went wrong"),
        detail=detail,
        code=status,
    )
    if "Retry-After" in headers:
        page.headers["Retry-After"] = headers["Retry-After"]
    return page
