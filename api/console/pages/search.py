"""`POST /console/search`: an id, a key such as an e-mail address, or a query leads to the page that answers it.

The text comes in the body, and only ids and queries without personal data go into the address of the answer, so that
neither histories nor logs of proxies hold personal data.
"""

from typing import Any, Final

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from api.access.option import access
from api.console.pages import events, rejected
from api.console.pages.profiles import profiles_page
from api.console.queries import ask, query_of
from api.console.site import Site, link, path_of
from api.problem import HttpProblem
from engine.ports.kinds import DELIVERIES, REJECTED
from engine.problem import ProblemError
from engine.profile.value import dotted
from engine.tracking.operations.key_search import USUAL, profile_of

MOST: Final = 2_000  # characters of a search
KINDS: Final = ("events", "runs", "profiles", "deliveries", "rejected")  # whose queries are tried, in this order
PRIVATE: Final = ("profiles", "events", "rejected", "runs", "deliveries")  # the order for one with personal data


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the search field."""

    @post("/console/search", status_code=200, include_in_schema=False, opt=access("viewer"))
    async def search(request: Request[Any, Any, Any]) -> Response[Any]:
        form = await request.form()
        text, kind = str(form.get("q") or "").strip()[:MOST], str(form.get("kind") or "")
        kind = kind if kind in KINDS else ""
        if not text:
            return _to(path_of(kind or "runs"))
        found = None if kind not in {"", "profiles"} else await profile_of(site.store, site.project.settings.keys, text)
        if found is not None:
            return _to(path_of("profiles", found.id))
        named = await _by_id(site, text)
        if named is not None:
            return _to(named)
        if kind == "profiles":
            return await _profiles(site, request, text)
        if is_private(site, text):
            return await _private(site, request, kind or _kind_of(site, text, PRIVATE), text)
        return _to(link(path_of(kind or _kind_of(site, text)), q=text))

    return [search]


def is_private(site: Site, text: str) -> bool:
    """Return whether a query quotes personal data, as far as its text shows."""
    paths = {*[path for path, _ in site.project.settings.keys.forms], *USUAL}
    return "@" in text or "pii" in text or any(dotted(path) in text for path in paths)


async def _profiles(site: Site, request: Request[Any, Any, Any], text: str) -> Response[Any]:
    """Answer a query over profiles; one with personal data is answered here, and no address has it."""
    if not is_private(site, text):
        return _to(link(path_of("profiles"), q=text))
    return profiles_page(site, request, await ask(site, "profiles", text, request=request), text, private=True)


async def _private(site: Site, request: Request[Any, Any, Any], kind: str, text: str) -> Response[Any]:
    """Answer a query that quotes personal data here, so that no address has it. Raises `HttpProblem` (400)."""
    match kind:
        case "events":
            return await events.listed(site, request, text, private=True)
        case "rejected":
            return await rejected.listed(site, request, text, private=True)
        case "runs" | "deliveries":
            said = f"a query over {kind} that quotes personal data would stand in an address: find the profile first"
            raise HttpProblem(400, said)
    return await _profiles(site, request, text)


async def _by_id(site: Site, text: str) -> str | None:
    """Return the page of the document that has an id. Raises `Unavailable`."""
    store = site.store
    if await store.run(text) is not None:
        return path_of("runs", text)
    if await store.event(text) is not None:
        return path_of("events", text)
    if await store.record(DELIVERIES, text) is not None:
        return path_of("deliveries", text)
    return path_of("rejected", text) if await store.record(REJECTED, text) is not None else None


def _kind_of(site: Site, text: str, kinds: tuple[str, ...] = KINDS) -> str:
    """Return the kind of document that a query is about: the first one that has all its fields."""
    for kind in kinds:
        try:
            query_of(site, kind, text)
        except ProblemError:
            continue
        return kind
    return kinds[0]


def _to(address: str) -> Redirect:
    return Redirect(address, status_code=303)
