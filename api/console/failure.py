"""Pages that say why there is no page: not found, refused, broken. Other addresses answer a problem document."""

from typing import Any, Final

from litestar import Request, Response

from api.console.site import Site

_WORDS: Final = {
    400: "This address was not understood",
    401: "Log in to see this page",
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


def failure_page(site: Site, request: Request[Any, Any, Any], status: int, detail: str) -> Response[str]:
    """Return the page of an error. It reads nothing from the store."""
    return site.page(
        request,
        "failure.html",
        status=status,
        headline=_WORDS.get(status, "Something went wrong"),
        detail=detail,
        code=status,
    )
