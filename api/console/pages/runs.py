"""`/console/runs`: the kept runs that a query finds."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from api.access.option import access
from api.console.queries import ask
from api.console.run_view import view_of
from api.console.site import Site, link
from api.console.words import many
from api.serialize import serialize_run

TAB = "/console/runs"


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the list of runs."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def runs(
        request: Request[Any, Any, Any], q: FromQuery[str] = "", after: FromQuery[str] = ""
    ) -> Response[str]:
        asked = await ask(site, "runs", q, after)
        rows = [view_of(serialize_run(run)) for run in asked.page.items]  # type: ignore[arg-type]
        older = link(TAB, q=q, after=asked.page.after) if asked.page.after else ""
        return site.page(
            request,
            "runs.html",
            tab=TAB,
            q=q,
            error=asked.problem,
            said=f"{many(len(rows), 'kept run')} on this page, newest first.",
            facets=[],
            chart=None,
            chart_span="",
            groups=[],
            groups_title="Failed, by reason",
            rows=rows,
            empty="Flows keep all runs that failed, and a share of the others.",
            older=older,
            newest=link(TAB, q=q) if after else "",
        )

    return [runs]
