"""`/console/audit`: the actions of operators, newest first, for administrators."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from api.access.option import access
from api.console.queries import ask
from api.console.site import Site, link

AUDIT = "/console/audit"


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the audit log."""

    @get(AUDIT, include_in_schema=False, opt=access("admin"))
    async def audit(
        request: Request[Any, Any, Any], q: FromQuery[str] = "", after: FromQuery[str] = ""
    ) -> Response[str]:
        asked = await ask(site, "audit", q, after)
        older = link(AUDIT, q=q, after=asked.page.after) if asked.page.after else ""
        newest = link(AUDIT, q=q) if after else ""
        return site.page(
            request, "audit.html", q=q, error=asked.problem, rows=asked.page.items, older=older, newest=newest
        )

    return [audit]
