"""The metrics of a server: its meter, its ledger and what its store says, as families of `prometheus_client`.

The store is asked when metrics are read, and once in `STORE_SECONDS` at most. What it cannot say is left out, and
`headrace_store_up` is 0.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from api.metrics.gauges import Gauges
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import SELF, queue_of
from engine.ports.store import Store, Unavailable
from engine.sending.full_targets import AHEAD_MS
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.families import BUCKETS, FAMILIES, Family, Labels
from engine.tracking.unit.ledger import Ledger
from engine.tracking.unit.meter import Reading

PREFIX: Final = "headrace_"
STORE_SECONDS: Final = 10.0
MAX_OLDEST: Final = 20  # records among which the oldest waiting delivery is: those that have ended are due as well
BOUNDS: Final = (*[f"{bound:g}" if bound < 1 else f"{bound:.1f}" for bound in BUCKETS], "+Inf")


class QueueDepth(Struct, frozen=True):
    """The deliveries to one target that wait, about; `lag` is how many seconds ago the oldest one was due."""

    target: str
    due: int
    later: int
    lag: float


class ServerMetrics:
    """The metrics of a server, as any of its processes knows them."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger, gauges: Gauges) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._gauges = gauges
        self._asked: float | None = None
        self._up = False
        self._depths: list[QueueDepth] = []

    async def families(self) -> list[Metric]:
        """Return all families."""
        await self._gauges.publish()
        await self._ask_store()
        return [*events_of(self._ledger), *metered(self._ledger.meter.readings()), *self._of_store()]

    async def _ask_store(self) -> None:
        clock = self._pipeline.clock
        if self._asked is not None and clock.ticks() - self._asked < STORE_SECONDS:
            return
        self._asked = clock.ticks()
        try:
            self._up = await self._pipeline.store.ready() is None
            self._depths = [await depth_of(self._pipeline.store, *each, clock.now()) for each in self._queues()]
        except Unavailable as unavailable:
            self._pipeline.report(unavailable)
            self._up, self._depths = False, []

    def _queues(self) -> Iterator[tuple[str, list[str]]]:
        yield SELF, [queue_of(SELF)]
        for name in self._ledger.meter.names.targets:
            target = self._pipeline.project.targets.get(name)
            if target is not None:
                yield name, [queue_of(name, shard) for shard in range(target.shards)]

    def _of_store(self) -> Iterator[Metric]:
        yield _gauge("store_up", "1 if the store takes writes", value=float(self._up))
        depths = _gauge("deliveries_waiting", "Deliveries that wait, about: due now, or soon", ["target", "due"])
        lags = _gauge("delivery_lag_seconds", "How long ago the oldest waiting delivery was due", ["target"])
        for each in self._depths:
            depths.add_metric([each.target, "now"], each.due)
            depths.add_metric([each.target, "later"], each.later)
            lags.add_metric([each.target], each.lag)
        yield depths
        yield lags


async def depth_of(store: Store, target: str, queues: list[str], now: int) -> QueueDepth:
    """Return the depth of a target's queues at `now` (ms). Raises `Unavailable`."""
    due = soon = lag = 0
    for queue in queues:
        due += await store.count_due(DELIVERIES, now, queue)
        soon += await store.count_due(DELIVERIES, now + AHEAD_MS, queue)
        oldest = await store.due_records(DELIVERIES, now, MAX_OLDEST, queue)
        lag = max([lag, *[now - one.due for one in oldest if one.state == "waiting"]])
    return QueueDepth(target, due, max(soon - due, 0), lag / 1000)


def events_of(ledger: Ledger) -> Iterator[Metric]:
    """Yield the ledger. There is no counter of all received events: it is the sum, and may fall when a spool drains."""
    totals = ledger.totals()
    events = CounterMetricFamily(
        f"{PREFIX}events", "Events that were received since the server started, by where they ended", labels=["end"]
    )
    for end in ("stored", "processed", "rejected", "duplicate"):
        events.add_metric([end], getattr(totals, end))
    yield events
    yield _gauge("events_queued", "Received events that wait in a spool for the store", value=totals.queued)


def metered(readings: Iterator[Reading]) -> Iterator[Metric]:
    """Yield the families of a meter. Cells of `other` that have stayed empty are left out."""
    found: dict[str, Metric] = {family.name: _empty(family) for family in FAMILIES}
    for reading in readings:
        if any(reading.cells) or "other" not in reading.labels:
            _add(found[reading.family.name], reading.family, reading.labels, reading.cells)
    yield from found.values()


def _empty(family: Family) -> Metric:
    name, labels = f"{PREFIX}{family.name}", list(family.labels)
    match family.kind:
        case "counter":
            return CounterMetricFamily(name, family.help, labels=labels)
        case "gauge":
            return GaugeMetricFamily(name, family.help, labels=labels)
        case "histogram":
            return HistogramMetricFamily(name, family.help, labels=labels)


def _add(metric: Metric, family: Family, labels: Labels, cells: tuple[int, ...]) -> None:
    values = list(labels)
    if isinstance(metric, HistogramMetricFamily):
        counts = accumulate(cells[:-1])
        buckets = [(bound, float(count)) for bound, count in zip(BOUNDS, counts, strict=True)]
        metric.add_metric(values, buckets, cells[-1] * family.scale)
    elif isinstance(metric, CounterMetricFamily | GaugeMetricFamily):
        metric.add_metric(values, cells[0] * family.scale)


def _gauge(name: str, help: str, labels: list[str] | None = None, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}{name}", help, value=value, labels=labels)
