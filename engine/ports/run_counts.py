"""Counts of all runs, kept or not: stored by minute and by hour, and added up for a span of time.

Each process of a server writes documents of its own, so no two write the same one, and rewrites that of the current
minute and hour every few seconds. Minutes are stored for two days, hours for a year.
"""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Final, Literal, Protocol

from msgspec import Struct, field

from engine.ports.kind import Kind
from engine.search.field import Field
from engine.search.page import MAX_LIMIT, Page
from engine.search.query import AllOf, Is, Query, Within

MINUTE: Final = 60_000  # ms
HOUR: Final = 3_600_000
MINUTES_KEPT: Final = 48 * HOUR
HOURS_KEPT: Final = 366 * 24 * HOUR

Span = Literal["minute", "hour"]
LENGTH: Final[dict[Span, int]] = {"minute": MINUTE, "hour": HOUR}


class RunCount(Struct, frozen=True, array_like=True):
    """How many runs of a flow's version ended alike. `reason` is a shape, without values."""

    count: int
    flow: str
    version: str
    outcome: str
    node: str = ""
    port: str = ""
    reason: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """All but the count."""
        return (self.flow, self.version, self.outcome, self.node, self.port, self.reason)


class PortCount(Struct, frozen=True, array_like=True):
    """How many runs have left a node by a port. `node` is its index in the flow of this version."""

    count: int
    flow: str
    version: str
    node: int
    port: str

    @property
    def key(self) -> tuple[str, str, int, str]:
        """All but the count."""
        return (self.flow, self.version, self.node, self.port)


class StoredRunCounts(Struct, frozen=True, omit_defaults=True):
    """The counts of one process in a minute or an hour that begins `at` (ms)."""

    id: str
    at: int
    span: Span
    version: int = 0
    runs: tuple[RunCount, ...] = ()
    ports: tuple[PortCount, ...] = ()


RUN_COUNTS: Final = Kind(
    name="run_counts",
    record=StoredRunCounts,
    lifecycle="versioned",
    time="at",
    search={"id": "word", "span": "word", "at": "moment"},
)


class RunTotals(Struct):
    """The sums of a span of time.

    `moments` are the counts by the beginning of their minute or hour, and `failures` those of runs in which something
    failed, by `RunCount.key`.
    """

    since: int
    until: int
    span: Span
    runs: Counter[tuple[str, ...]] = field(default_factory=Counter)  # by `RunCount.key`
    ports: Counter[tuple[str, str, int, str]] = field(default_factory=Counter)  # by `PortCount.key`
    moments: dict[int, Counter[str]] = field(default_factory=dict)  # by outcome
    failures: dict[tuple[str, ...], Counter[int]] = field(default_factory=dict)

    def add(self, stored: StoredRunCounts) -> None:
        """Add the counts of a document."""
        outcomes = self.moments.setdefault(stored.at, Counter())
        for run in stored.runs:
            self.runs[run.key] += run.count
            outcomes[run.outcome] += run.count
            if run.node or run.outcome == "failed":
                self.failures.setdefault(run.key, Counter())[stored.at] += run.count
        for port in stored.ports:
            self.ports[port.key] += port.count

    def of_flow(self, flow: str, version: str = "") -> "RunTotals":
        """Return the counts of one flow, of all its versions or of one; `moments` are not divided."""
        found = RunTotals(self.since, self.until, self.span)
        for run, count in self.runs.items():
            if run[0] == flow and version in {"", run[1]}:
                found.runs[run] = count
        for port, count in self.ports.items():
            if port[0] == flow and version in {"", port[1]}:
                found.ports[port] = count
        return found

    def total(self, outcome: str = "") -> int:
        """Return how many runs there were, of all outcomes or of one."""
        return sum(count for run, count in self.runs.items() if outcome in {"", run[2]})

    def by(self, *names: str) -> Counter[tuple[str, ...]]:
        """Return the counts by some properties, such as `by("flow", "outcome")`."""
        places = [FIELDS.index(name) for name in names]
        found: Counter[tuple[str, ...]] = Counter()
        for run, count in self.runs.items():
            found[tuple([run[place] for place in places])] += count
        return found


FIELDS: Final = ("flow", "version", "outcome", "node", "port", "reason")


class Searches(Protocol):
    """The role of a store by which counts are read."""

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """As of `engine.ports.store.Searches`."""


async def run_totals(store: Searches, since: int, until: int, now: int) -> RunTotals:
    """Return the counts of runs from `since` to `until` (ms), to the whole minute, or to the hour further back.

    Counts may be some seconds old. Raises `Unavailable`.
    """
    span: Span = "minute" if since >= now - MINUTES_KEPT + HOUR else "hour"
    first = since - since % LENGTH[span]
    totals = RunTotals(first, until, span)
    async for stored in stored_counts(store, span, first, until):
        totals.add(stored)
    return totals


async def stored_counts(store: Searches, span: Span, since: int | None, until: int) -> AsyncIterator[StoredRunCounts]:
    """Yield the documents of minutes or hours that begin from `since` to `until` (ms). Raises `Unavailable`."""
    searchable = RUN_COUNTS.searchable
    assert searchable is not None  # noqa: S101  # its row says so
    at = Within(Field("at", "", "moment"), since, until)
    query = Query(searchable, AllOf((Is(Field("span"), (span,)), at)))
    after: str | None = None
    while True:
        page = await store.search(query, MAX_LIMIT, after)
        for record in page.items:
            if isinstance(record, StoredRunCounts):
                yield record
        after = page.after
        if after is None:
            return
