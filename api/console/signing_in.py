"""How a page that takes a login leads to the one to sign in, and back."""

import re
from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response
from litestar.response import Redirect

LOGIN: Final = "/console/login"
HOME: Final = "/console"
_INSIDE: Final = re.compile(r"/console(/[!-\[\]-~]*)?(\?[!-\[\]-~]*)?")  # visible ASCII without a backslash


def inside(address: str) -> str:
    """Return an address that a request names as the next one, or the front page if it leads out of the console."""
    return address if _INSIDE.fullmatch(address) else HOME


def to_login(request: Request[Any, Any, Any]) -> Response[Any]:
    """Return the answer to a request without a login. A stream of events gets the status alone."""
    wanted = request.scope["raw_path"].decode("latin-1").partition("?")[0]
    query = request.scope["query_string"].decode("latin-1")
    address = inside(f"{wanted}?{query}" if query else wanted) if request.method == "GET" else HOME
    login = LOGIN if address == HOME else f"{LOGIN}?next={quote(address, safe='')}"
    if request.headers.get("HX-Request") == "true":
        return Response("", status_code=401, headers={"HX-Redirect": login})
    if "text/event-stream" in request.headers.get("accept", ""):
        return Response("", status_code=401)
    return Redirect(login, status_code=303)
