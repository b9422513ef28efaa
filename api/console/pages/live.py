"""`/console`: the front page. The things that need attention, the rate, and the newest events with their runs."""

import asyncio
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from msgspec import Struct

from api.access.option import access
from api.console.counts import chart_of, window_of
from api.console.event_row import row_of
from api.console.pages.problems import problems_of
from api.console.queries import ask
from api.console.run_view import RunView, view_of
from api.console.site import Site, link
from api.console.words import many, short_id
from api.live.queries import queries_of
from api.serialize import serialize_run
from engine.ports.following import FOLLOWED, following
from engine.ports.records import RunRecord, StoredEvent
from engine.tracking.intake.payload import Refusal

TAB = "/console"
ROWS = 40
RUNS = 400  # of which those of the shown events are taken
WINDOW = "1h"
NOT_RUN = frozenset({"not-triggered", "filtered"})


class Notice(Struct, frozen=True):
    """A thing that needs attention, or that is well."""

    icon: str
    kind: str
    text: str
    more: str
    link: str


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the front page."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def live(request: Request[Any, Any, Any], q: FromQuery[str] = "") -> Response[str]:
        place = await _place(site, q)  # before the list is read: what comes meanwhile is in both, and none is missed
        shown, asked, newest = await asyncio.gather(
            window_of(site, WINDOW),
            ask(site, "events", q, limit=ROWS, request=request),
            ask(site, "runs", "", limit=RUNS),
        )
        runs: dict[str, list[RunView]] = {}
        for run in newest.page.items:
            if isinstance(run, RunRecord) and run.outcome not in NOT_RUN:
                runs.setdefault(run.event, []).append(view_of(site.shown(request, serialize_run(run))))
        rows = [row_of(event, runs.get(event.id, [])) for event in asked.page.items if isinstance(event, StoredEvent)]
        chart, span = chart_of(shown.totals) if shown.totals.total() else (None, "")
        totals = site.pipeline.ledger.totals()
        return site.page(
            request,
            "live.html",
            tab=TAB,
            q=q,
            error=asked.problem,
            rows=rows,
            notices=await _notices(site),
            chart=chart,
            chart_span=span,
            said=(
                "Every event as it is committed, with what its flows made of it. "
                f"{many(totals.received, 'event')} since the server started; "
                f"{many(shown.totals.total(), 'run')} in the last hour, {shown.totals.total('failed'):,} failed."
            ),
            stream=link("/console/live", q=q, after=place) if place else "",
            older=link("/console/events", q=q),
        )

    return [live]


async def _place(site: Site, q: str) -> str:
    """Return the place behind all that is stored; empty for a query that cannot be followed. Raises `Unavailable`."""
    try:
        queries = queries_of(q, FOLLOWED, site.clock.now(), site.project.settings.fields)
    except Refusal:
        return ""
    return (await following(site.store, queries, site.clock)).place


async def _notices(site: Site) -> list[Notice]:
    """Return the problems, deliveries and rejected events of the last day, and how the store is."""
    day, dead, rejected, why = await asyncio.gather(
        window_of(site, "24h"),
        ask(site, "deliveries", "state:dead at:>now-1d", limit=100),
        ask(site, "rejected", "at:>now-1d", limit=100),
        site.store.ready(),
    )
    problems = problems_of(day.totals, {flow.name: flow.version for flow in site.project.flows})
    failing = [each for each in problems if each.failed]
    return [
        _problem_notice(len(failing), failing[0].reason if failing else "", failing[0].flow if failing else ""),
        _list_notice(
            len(dead.page.items), "delivery gave up", "deliveries gave up", "/console/deliveries", "x", "failed"
        ),
        _list_notice(
            len(rejected.page.items),
            "event was rejected",
            "events were rejected",
            "/console/rejected",
            "warn",
            "warned",
        ),
        Notice("drop", "finished", "The store is well", "it accepts writes", "/console/health")
        if why is None
        else Notice("x", "failed", "The store does not take writes", short_id(why), "/console/health"),
    ]


def _problem_notice(count: int, reason: str, flow: str) -> Notice:
    if not count:
        return Notice("drop", "finished", "No run failed", "in the last 24 hours", "/console/problems")
    words = f"{many(count, 'problem')} in 24 hours"
    return Notice("x", "failed", words, f"most frequent: {reason or 'no reason'}, {flow}", "/console/problems")


def _list_notice(count: int, one: str, more: str, path: str, icon: str, kind: str) -> Notice:
    if not count:
        return Notice("drop", "finished", f"No {one}", "in the last 24 hours", path)
    number = f"{count:,}" if count < 100 else "100 or more"
    return Notice(icon, kind, f"{number} {one if count == 1 else more}", "in the last 24 hours", path)
