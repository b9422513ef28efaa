"""Traces: the spans of an event, whose child each is, and that nothing of it is imported when it is off."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from litestar.testing import AsyncTestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.app import create_app
from api.front import front
from api.telemetry.telemetry import Telemetry, exporting
from api.telemetry.wanted import is_wanted
from engine.flow.ask import NoAnswer
from engine.project.source import Target
from storage.memory import MemoryStore
from tests.projects import project

FLOW = """
flow: order
trigger: {event: order}
nodes:
  ask: {lookup.http: {target: crm, path: /}, next: {failed: count}}
  count: {profile.increment: {traits.orders: 1}}
"""
ORDER = {"type": "order", "properties": {"mail": "ann@x.example"}}
EVENT = {"source": {"id": "shop"}, "session": {"id": "s"}, "events": [ORDER]}
CRM = Target(url="https://crm.example")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def track(telemetry: Telemetry, headers: dict[str, str]) -> None:
    app = create_app(project(FLOW, targets={"crm": CRM}), MemoryStore(), performer=Unanswering(), telemetry=telemetry)
    served: Any = front(app)
    async with (
        AsyncTestClient(app),
        AsyncClient(transport=ASGITransport(app=served), base_url="http://127.0.0.1") as client,
    ):
        assert (await client.post("/track", json=EVENT, headers=headers)).status_code == 200


class Unanswering:
    """A performer whose target never answers."""

    async def perform(self, call: Any) -> NoAnswer:
        return NoAnswer("timeout", "no answer", retriable=False)


@pytest.fixture
def receiver() -> Iterator[tuple[str, "Queue[bytes]"]]:
    """An OTLP receiver on loopback: its address, and the bodies that it gets."""
    got: Queue[bytes] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *values: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", got
        server.shutdown()
        thread.join()


def named(spans: tuple[ReadableSpan, ...]) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans}


async def test_an_event_has_spans_from_its_request_to_its_commit() -> None:
    exporter = InMemorySpanExporter()
    await track(Telemetry(SimpleSpanProcessor(exporter)), {"traceparent": PARENT})
    spans = named(exporter.get_finished_spans())
    assert set(spans) == {"POST /track", "unit", "run", "look-up crm", "commit"}
    parents = {name: span.parent.span_id if span.parent else None for name, span in spans.items()}
    ids = {name: span.context.span_id for name, span in spans.items() if span.context}
    assert parents == {
        "POST /track": 0xB7AD6B7169203331,
        "unit": ids["POST /track"],
        "run": ids["unit"],
        "look-up crm": ids["run"],
        "commit": ids["unit"],
    }
    assert {span.context.trace_id for span in spans.values() if span.context} == {0x0AF7651916CD43DD8448EB211C80319C}
    (run,) = spans["run"].events
    assert run.name == "order"
    assert run.attributes is not None
    assert run.attributes["headrace.outcome"] == "finished"
    assert run.attributes["headrace.node"] == "ask", "the node that left by `failed`"
    assert spans["look-up crm"].status.is_ok is False
    assert "ann@" not in "".join(span.to_json() for span in spans.values())


async def test_spans_arrive_at_a_receiver_when_the_server_stops(
    receiver: tuple[str, "Queue[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, got = receiver
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    await track(exporting(), {})
    sent = ExportTraceServiceRequest.FromString(got.get(timeout=10))
    (resource,) = sent.resource_spans
    assert {span.name for scope in resource.scope_spans for span in scope.spans} >= {"POST /track", "unit", "commit"}
    services = [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]
    assert services == ["headrace"]


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
    ],
    ids=str,
)
def test_traces_are_made_only_if_the_environment_asks_for_them(environ: dict[str, str], *, wanted: bool) -> None:
    assert is_wanted(environ) is wanted


def test_nothing_of_it_is_imported_when_it_is_off() -> None:
    check = "import sys, cli.server; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", check], check=True)
