"""Counts of runs as pages show them: of a window of time, in buckets for a chart, and failures by their cause."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from api.console.charts import mirrored_bars
from api.console.queries import narrowed, quoted_word
from api.console.site import Site, link
from api.console.words import clock, day, many
from engine.ports.run_counts import LENGTH, RunTotals, run_totals

WINDOWS: Final[Mapping[str, tuple[str, int]]] = {
    "15m": ("15 minutes", 15 * 60_000),
    "1h": ("hour", 3_600_000),
    "24h": ("24 hours", 86_400_000),
    "7d": ("7 days", 7 * 86_400_000),
    "30d": ("30 days", 30 * 86_400_000),
}
USUAL: Final = "24h"
BARS: Final = 60
MAX_FACETS: Final = 12
MAX_GROUPS: Final = 20
FAILED: Final = frozenset({"failed", "timed-out"})


class Facet(Struct, frozen=True):
    """A value by which a list can be narrowed, with its exact count."""

    name: str
    count: int
    link: str
    on: bool = False


class Group(Struct, frozen=True):
    """Runs in which the same node of a flow left by the same failure port for the same reason."""

    count: int
    failed: bool
    link: str
    flow: str
    node: str
    port: str
    reason: str


class Window(Struct, frozen=True):
    """A window of time up to now (ms): its name in addresses, its words, and the counts in it."""

    name: str
    words: str
    totals: RunTotals


async def window_of(site: Site, name: str) -> Window:
    """Return the counts of a window; an unknown name means the usual one. Raises `Unavailable`."""
    name = name if name in WINDOWS else USUAL
    words, length = WINDOWS[name]
    now = site.clock.now()
    return Window(name, words, await run_totals(site.store, now - length, now, now))


def facets_of(totals: RunTotals, path: str, q: str, window: str) -> list[tuple[str, list[Facet]]]:
    """Return the outcomes and the flows of a window as facets."""
    found: list[tuple[str, list[Facet]]] = []
    for field in ("outcome", "flow"):
        facets = []
        for (value,), count in totals.by(field).most_common(MAX_FACETS):
            on = f"{field}:{quoted_word(value)}" in q
            asked = q.replace(f"{field}:{quoted_word(value)}", "").strip() if on else narrowed(q, field, value)
            facets.append(Facet(value, count, link(path, q=asked, window=window), on))
        if facets:
            found.append((field, facets))
    return found


def groups_of(totals: RunTotals, path: str, flow: str = "") -> list[Group]:
    """Return the failures of a window by cause, the most frequent first."""
    groups: Counter[tuple[str, ...]] = Counter()
    ended: Counter[tuple[str, ...]] = Counter()
    for (name, outcome, node, port, reason), count in totals.by("flow", "outcome", "node", "port", "reason").items():
        if (node or outcome in FAILED) and flow in {"", name}:
            groups[name, node, port, reason] += count
            ended[name, node, port, reason] += count if outcome in FAILED else 0
    return [
        Group(count, ended[cause] > 0, link(path, q=query_of_cause(*cause)), *cause)
        for cause, count in groups.most_common(MAX_GROUPS)
    ]


def query_of_cause(flow: str, node: str, port: str, reason: str) -> str:
    """Return the query that finds the kept runs of a cause."""
    parts = {"flow": flow, "node": node, "port": port, "reason": reason}
    return " ".join(f"{name}:{quoted_word(value)}" for name, value in parts.items() if value) or "outcome:failed"


def chart_of(totals: RunTotals) -> tuple[Markup, str]:
    """Return the runs of a window as bars, finished above the line and failed below it, and the span in words."""
    length = max(LENGTH[totals.span], -(-(totals.until - totals.since) // BARS))
    length += -length % LENGTH[totals.span]
    size = max(1, -(-(totals.until - totals.since) // length))
    up, down = [0] * size, [0] * size
    for at, outcomes in totals.moments.items():
        bar = min(size - 1, max(0, (at - totals.since) // length))
        for outcome, count in outcomes.items():
            (down if outcome in FAILED else up)[bar] += count
    most = max((*up, *down))
    label = f"{many(sum(up), 'run')} that did not fail above the line, {many(sum(down), 'failed run')} below"
    label = f"{label}; at most {most:,} in a bar"
    short = totals.until - totals.since <= 86_400_000
    span = f"{(clock if short else day)(totals.since)[: 8 if short else 16]} to now"
    return mirrored_bars(up, down, label), span
