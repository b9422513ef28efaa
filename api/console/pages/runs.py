"""`/console/runs`: the kept runs that a query finds."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from api.access.option import access
from api.access.principal import principal_of
from api.access.role import allows
from api.console.counts import WINDOWS, Window, chart_of, facets_of, groups_of, window_of
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
        request: Request[Any, Any, Any], q: FromQuery[str] = "", window: FromQuery[str] = "", after: FromQuery[str] = ""
    ) -> Response[str]:
        asked = await ask(site, "runs", q, after, request=request)
        shown = await window_of(site, window)
        totals = shown.totals
        chart, span = chart_of(totals) if totals.total() else (None, "")
        return site.page(
            request,
            "runs.html",
            tab=TAB,
            q=q,
            error=asked.problem,
            said=_said(shown, site),
            windows=[(name, link(TAB, q=q, window=name), name == shown.name) for name in WINDOWS],
            facets=facets_of(totals, TAB, q, window),
            chart=chart,
            chart_span=span,
            groups=groups_of(totals, TAB),
            rows=[view_of(site.shown(request, serialize_run(run))) for run in asked.page.items],  # type: ignore[arg-type]
            filtered=bool(q),
            replay_link=link("/console/replay", q=q) if q and asked.page.items and _may(request) else "",
            older=link(TAB, q=q, window=window, after=asked.page.after) if asked.page.after else "",
            newest=link(TAB, q=q, window=window) if after else "",
        )

    return [runs]


def _may(request: Request[Any, Any, Any]) -> bool:
    return allows(principal_of(request).role, "operator")


def _said(window: Window, site: Site) -> str:
    """Return what the list is a sample of: exact counts, and which runs are kept."""
    totals, share = window.totals, site.project.settings.keep("finished")
    rest = "all of the rest" if share >= 1 else "none of the rest" if share <= 0 else f"{share:.0%} of the rest"
    return (
        f"{many(totals.total(), 'run')} in the last {window.words}, {totals.total('failed'):,} failed, counted "
        "exactly. Kept and listed are all that failed, in which a node left by a failure port, that logged a warning "
        f"or an error, or that were debugged, and {rest}, unless a flow says otherwise."
    )
