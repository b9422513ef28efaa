"""Requests of pages: from which origin they come, and whether cookies go over TLS only."""

from urllib.parse import urlsplit

from api.access.principal import Connection
from api.problem import HttpProblem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_secure(connection: Connection, public_url: str) -> bool:
    """Return whether a browser reaches the server over TLS, as far as the server can know.

    A request to the host of `public_url` has its scheme. For others a proxy may say it: a browser cannot be made to
    send that header by another site, and whoever sends it himself only changes the cookie that he gets.
    """
    public = urlsplit(public_url)
    if public.netloc and connection.headers.get("host") == public.netloc:
        return public.scheme == "https"
    forwarded = connection.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return connection.scope["scheme"] == "https" or forwarded == "https"


def require_same_origin(connection: Connection, public_url: str) -> None:
    """Raise `HttpProblem` (403) unless a browser says that a page of this server has sent the request."""
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is None and origin is None:
        raise HttpProblem(403, "a browser must say which page sends this: it has neither `Origin` nor `Sec-Fetch-Site`")
    own = {connection.headers.get("host"), urlsplit(public_url).netloc or None} - {None}
    if site not in {None, "same-origin"} or (origin is not None and urlsplit(origin).netloc not in own):
        raise HttpProblem(403, "pages of another origin may not do this")
