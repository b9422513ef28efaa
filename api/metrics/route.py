"""`GET /metrics`: the metrics in the text format of Prometheus, or of OpenMetrics where the request asks for it.

It takes the role `viewer`: names of flows and targets, and how much a shop sells, are not for everyone. It is not open
to requests from the same machine either, since behind a proxy every request seems to come from there. A scraper carries
a key as well as it knows an address.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from api.access.option import access
from api.description.operation import Answer, Content, described
from api.metrics.server_metrics import ServerMetrics

ANSWER = Answer("The metrics, a line for each number", {"text/plain": Content(str)})


class _Read(Collector):
    """Families that have been read, as `prometheus_client` takes them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._families


def metrics_handler(metrics: ServerMetrics) -> HTTPRouteHandler:
    """Return the handler of `/metrics`."""

    @get(
        "/metrics",
        summary="The metrics of the server, for Prometheus",
        opt=access("viewer") | described("readMetrics", ANSWER),
    )
    async def read(request: Request[Any, Any, Any]) -> Response[bytes]:
        registry = CollectorRegistry()
        registry.register(_Read(await metrics.families()))
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=media_type)

    return read
