"""`/console/problems`: failures grouped by flow, node, port and reason, the most frequent first."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from markupsafe import Markup
from msgspec import Struct

from api.access.option import access
from api.access.principal import principal_of
from api.access.role import allows
from api.console.charts import spark
from api.console.counts import FAILED, WINDOWS, Window, query_of_cause, window_of
from api.console.site import Site, link, path_of
from api.console.words import many
from engine.ports.run_counts import RunTotals

TAB = "/console/problems"
BARS = 24
SHOWN = 50


class Problem(Struct, frozen=True):
    """A cause of failures. `first` and `last` are the beginnings of the minutes or hours with such a run (ms)."""

    flow: str
    node: str
    port: str
    reason: str
    count: int
    failed: int
    first: int
    last: int
    versions: list[str]
    trend: Markup
    link: str
    replay: str
    flow_link: str
    current: bool


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the list of problems."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def problems(
        request: Request[Any, Any, Any], window: FromQuery[str] = "7d", flow: FromQuery[str] = ""
    ) -> Response[str]:
        shown = await window_of(site, window)
        found = problems_of(shown.totals, {each.name: each.version for each in site.project.flows}, flow)
        return site.page(
            request,
            "problems.html",
            tab=TAB,
            problems=found[:SHOWN],
            more=max(0, len(found) - SHOWN),
            flow=flow,
            may=allows(principal_of(request).role, "operator"),
            everything=link(TAB, window=window),
            windows=[(name, link(TAB, window=name, flow=flow), name == shown.name) for name in WINDOWS],
            said=_said(found, shown),
        )

    return [problems]


def problems_of(totals: RunTotals, served: dict[str, str], flow: str = "") -> list[Problem]:
    """Return the problems of a window: those that ended runs first, then by count. `served` are versions by flow."""
    grouped: dict[tuple[str, str, str, str], list[tuple[tuple[str, ...], dict[int, int]]]] = {}
    for key, times in totals.failures.items():
        name, _, _, node, port, reason = key
        if flow in {"", name}:
            grouped.setdefault((name, node, port, reason), []).append((key, times))
    problems = [_problem(cause, runs, totals, served) for cause, runs in grouped.items()]
    return sorted(problems, key=lambda each: (not each.failed, -each.count))


def _problem(
    cause: tuple[str, str, str, str],
    runs: list[tuple[tuple[str, ...], dict[int, int]]],
    totals: RunTotals,
    served: dict[str, str],
) -> Problem:
    flow, node = cause[:2]
    moments = sorted(at for _, times in runs for at in times)
    bars = [0] * BARS
    length = max(1, (totals.until - totals.since) // BARS)
    for _, times in runs:
        for at, count in times.items():
            bars[min(BARS - 1, max(0, (at - totals.since) // length))] += count
    count = sum(sum(times.values()) for _, times in runs)
    failed = sum(sum(times.values()) for key, times in runs if key[2] in FAILED)
    versions = list(dict.fromkeys(key[1] for key, _ in runs))
    trend = spark(bars, f"{many(count, 'run')} over the window", "c-fail" if failed else "c-warn")
    return Problem(
        *cause,
        count=count,
        failed=failed,
        first=moments[0],
        last=moments[-1],
        versions=[version[:8] for version in versions],
        trend=trend,
        link=link("/console/runs", q=query_of_cause(*cause)),
        replay=link("/console/replay", q=f"{query_of_cause(*cause)} outcome:failed"),
        flow_link=link(path_of("flows", flow), node=node) if node else path_of("flows", flow),
        current=served.get(flow) in versions,
    )


def _said(found: list[Problem], window: Window) -> str:
    failed = sum(each.failed for each in found)
    return (
        f"Runs of the last {window.words} in which a node left by a failure port, by flow, node, port and reason; "
        "values are taken out of the reason, so one cause is one row. "
        f"Counted exactly: {failed:,} of these runs failed."
    )
