"""`/console/health`: whether the server takes events, what became of them, and how fast."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from api.access.option import access
from api.console.charts import line_chart
from api.console.counts import WINDOWS, chart_of, window_of
from api.console.site import Site, link
from engine.tracking.unit.families import BUCKETS, COMMITS, REQUESTS
from engine.tracking.unit.meter import Reading

TAB = "/console/health"


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the page of health."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def health(request: Request[Any, Any, Any], window: FromQuery[str] = "1h") -> Response[str]:
        shown, why = await window_of(site, window), await site.store.ready()
        readings = {
            reading.family.name: reading for reading in site.pipeline.ledger.meter.readings() if not reading.labels
        }
        chart, span = chart_of(shown.totals) if shown.totals.total() else (None, "")
        totals = site.pipeline.ledger.totals()
        return site.page(
            request,
            "health.html",
            tab=TAB,
            headline="Events are taken" if why is None else "The store does not take writes",
            why=why,
            windows=[(name, link(TAB, window=name), name == shown.name) for name in WINDOWS],
            words=shown.words,
            chart=chart,
            chart_span=span,
            totals=totals,
            places=[
                ("stored", totals.stored),
                ("processed, not saved", totals.processed),
                ("rejected", totals.rejected),
                ("duplicates", totals.duplicate),
                ("queued in the spool", totals.queued),
            ],
            latencies=[
                ("requests with events", latency(readings[REQUESTS.name])),
                ("commits of the store", latency(readings[COMMITS.name])),
            ],
            stored=sorted((await site.store.counts()).items()),
            outcomes=[(outcome, count) for (outcome,), count in shown.totals.by("outcome").most_common()],
            curve=_curve(readings[REQUESTS.name]),
        )

    return [health]


def latency(reading: Reading) -> dict[str, float | int | None]:
    """Return the number of observations and the bounds (ms) below which half, 95 and 99 of a hundred stay."""
    counts = reading.cells[: len(BUCKETS) + 1]
    total = sum(counts)
    return {"count": total, **{f"p{share}": _bound(counts, total * share / 100) for share in (50, 95, 99)}}


def _bound(counts: tuple[int, ...], rank: float) -> float | None:
    """Return the upper bound (ms) of the bucket with this rank; None if there is none, or no upper bound."""
    seen = 0
    for bound, count in zip(BUCKETS, counts, strict=False):
        seen += count
        if count and seen >= rank:
            return bound * 1000
    return None


def _curve(reading: Reading) -> Any:
    counts = reading.cells[: len(BUCKETS) + 1]
    return line_chart([float(count) for count in counts], "Requests by their duration, from the fastest to the slowest")
