"""Spans of requests, units, runs, look-ups and commits. Attributes are names of the project, ids and numbers.

A request goes on with the trace of its `traceparent` (W3C). Targets do not get one: it would tell other companies which
of their requests belong together.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from engine.flow.ask import NoAnswer, Reply
from engine.ports.world import OutsideCall, Performer
from engine.tracking.answer.outcome import UnitResult
from engine.tracking.pipeline.attempt import Enqueued, Finished
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.request import UnitRequest

ROUTES: Final = ("/track", "/collect", "/consent")

_propagator: Final = TraceContextTextMapPropagator()


class Telemetry:
    """Makes the spans of one application, and hands them to a processor. `close` it at the end."""

    def __init__(self, processor: SpanProcessor) -> None:
        unnamed = str(Resource.create().attributes[SERVICE_NAME]).startswith("unknown_service")
        service = {SERVICE_NAME: "headrace"} if unnamed else {}
        self._provider = TracerProvider(resource=Resource.create(service))
        self._provider.add_span_processor(processor)
        self.tracer = self._provider.get_tracer("headrace")

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)

    def traced_app(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose requests have a span each."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            method: str = scope["method"]
            route = scope["path"] if scope["path"] in ROUTES else "other"
            given = _propagator.extract({"traceparent": headers.get("traceparent", "")})
            attributes = {"http.request.method": method, "http.route": route}
            with self.tracer.start_as_current_span(f"{method} {route}", given, SpanKind.SERVER, attributes) as span:

                async def note(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= 500:
                            span.set_status(Status(StatusCode.ERROR))
                    await send(message)

                await app(scope, receive, note)

        return answer


def exporting() -> Telemetry:
    """Return what sends spans by OTLP over HTTP, as the standard variables of the environment say."""
    return Telemetry(BatchSpanProcessor(OTLPSpanExporter()))


class TracedLookups:
    """A `Performer` whose calls have a span each."""

    def __init__(self, performer: Performer, telemetry: Telemetry) -> None:
        self._performer = performer
        self._tracer = telemetry.tracer

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the reply to the call."""
        attributes: Mapping[str, str | int] = {
            "headrace.target": call.ask.target,
            "headrace.flow": call.flow,
            "headrace.node": call.node,
            "headrace.event": call.event,
            "headrace.attempt": call.attempt,
        }
        name = f"look-up {call.ask.target}"
        with self._tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes) as span:
            reply = await self._performer.perform(call)
            if isinstance(reply, NoAnswer):
                span.set_status(Status(StatusCode.ERROR, reply.kind))
            return reply


class TracedPipeline(Pipeline):
    """A pipeline whose units, runs and commits have a span each."""

    telemetry: Telemetry

    async def process(self, request: UnitRequest) -> UnitResult:
        """Do a unit."""
        attributes: Mapping[str, str | int] = {
            "headrace.source": request.source.source,
            "headrace.events": len(request.events),
        }
        with self.telemetry.tracer.start_as_current_span("unit", attributes=attributes):
            return await super().process(request)

    async def run(self, request: UnitRequest, *more: Any) -> Any:
        """Run the events of a unit; each run is an event of the span."""
        with self.telemetry.tracer.start_as_current_span("run") as span:
            effects, composed = await super().run(request, *more)
            for result in effects.flows:
                if result.flow and result.counted is not None:
                    attributes = {
                        "headrace.outcome": result.outcome,
                        "headrace.event": result.event.id,
                        "headrace.version": result.version,
                        "headrace.node": result.counted.node,
                    }
                    span.add_event(result.flow, attributes)
            return effects, composed

    async def wait(self, request: UnitRequest, enqueued: Enqueued) -> UnitResult:
        """Return the result of a unit once it is stored."""
        with self.telemetry.tracer.start_as_current_span("commit"):
            return await super().wait(request, enqueued)

    async def commit_alone(self, *unit: Any) -> Finished:
        """Commit a unit outside any queue."""
        with self.telemetry.tracer.start_as_current_span("commit"):
            return await super().commit_alone(*unit)
