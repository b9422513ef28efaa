"""The composition root: a project and a store become an application."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from api.access.accounts import Refused
from api.access.credentials import Credentials
from api.access.directory import Directory
from api.access.guard import AccessGuard
from api.access.option import require_access
from api.accounts import account_router
from api.addressing import Application, decode_path_parameters
from api.background import Background
from api.console.failure import failure_page, is_page
from api.console.live_stream import live_stream_handler
from api.console.routes import console_handlers
from api.console.site import Site
from api.deliveries import deliveries_router
from api.description.serving import description_handlers
from api.forgetting import Forgettings, forgetting_router
from api.gate import DEFAULT_BOUNDS, Bounds, Gate
from api.health import live, ready_handler, root
from api.imports import import_router
from api.live.route import Live, live_handler
from api.live.stream import Streams
from api.metrics.gauges import Gauges, publishing
from api.metrics.route import metrics_handler
from api.metrics.server_metrics import ServerMetrics
from api.outages import Outages
from api.places import places_of
from api.problem import MEDIA_TYPE, HttpProblem, answer_of, problem, problem_of
from api.reading import reading_router
from api.replays import replays_router
from api.response_headers import restrict_browsers
from api.sending import SendingRules
from api.tasks import task_router
from api.tracing import following_switches, tracing_router
from api.tracker import tracker_handlers
from api.tracking.collect import collect_handler
from api.tracking.consent import consent_handler
from api.tracking.discovery import foreign_handlers
from api.tracking.foreign import ForeignTracking
from api.tracking.track import track_handler
from api.tracking.webhooks import Webhooks, webhook_handlers
from api.unmerge import identity_router
from api.upkeep import log_apart
from api.waits import waits_router
from effects.clock import SystemClock
from effects.http import HttpPerformer
from effects.ids import new_id
from effects.javascript.runner import JavaScriptRunner
from effects.javascript.scripting import javascript
from effects.limited_lookups import LimitedLookups
from effects.metered_lookups import MeteredLookups
from effects.shared_lookups import SharedLookups
from engine.ports.script import Scripting
from engine.ports.spool import Spool
from engine.ports.store import Store, Unavailable
from engine.ports.world import Clock, Performer
from engine.project.project import Project
from engine.sending.sending import OpenBreaker
from engine.tracking.importing.history import ImportPipelines
from engine.tracking.intake.payload import Refusal
from engine.tracking.operations.replaying import redo_failed
from engine.tracking.pipeline.foreign_processing import ForeignProcessing
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import PayloadTracker, Tracker
from engine.tracking.schedules.script_firing import TaskScripts
from engine.tracking.spool.spooling import SpoolingTracker
from engine.tracking.unit.families import Names
from engine.tracking.unit.ledger import Ledger
from engine.tracking.unit.meter import Meter

if TYPE_CHECKING:
    from api.telemetry.telemetry import Telemetry

SENDS = SendingRules()

log = structlog.get_logger("headrace")


def create_app(
    project: Project,
    store: Store,
    *,
    broken: tuple[str, ...] = (),
    performer: Performer | None = None,
    clock: Clock | None = None,
    admin_key: str | None = None,
    keeps_up: bool = True,
    spool: Spool | None = None,
    ledger: Ledger | None = None,
    bounds: Bounds = DEFAULT_BOUNDS,
    rules: SendingRules = SENDS,
    scripting: Scripting | None = None,
    telemetry: "Telemetry | None" = None,
) -> Litestar:
    """Return the application. It closes `store` and `spool` when it stops.

    `broken` are project files that could not be read, for `/health/ready`. Requests to read, erase and unmerge must
    carry `admin_key`; without one, all are refused. One process of a server `keeps_up`: it does the upkeep. Payloads
    wait in the `spool` while the store is away. Other processes may share the `ledger`. `bounds` are the gate's;
    `rules` say how the process takes part in sending deliveries; `scripting` runs the scripts of the project,
    by default in JavaScript. With `telemetry` it makes traces.
    """
    clock = clock or SystemClock()
    ledger = ledger or Ledger(meter=Meter(Names.of(project)))
    client = HttpPerformer(project.targets, clock)  # opens no connection before it is used
    limited = LimitedLookups(client, project.targets, clock)
    lookups = SharedLookups(MeteredLookups(limited, ledger.meter, clock), clock)
    pipeline = _pipeline(telemetry, (project, store, performer or lookups, clock, new_id, ledger))
    pipeline.driver.places = places_of(project)
    pipeline.redo = partial(redo_failed, pipeline)
    outages = Outages(store, spool)
    pipeline.report, pipeline.report_apart = outages.report, log_apart
    spooling = SpoolingTracker(pipeline, spool) if spool is not None else None
    tracker: PayloadTracker = spooling or Tracker(pipeline)
    gate = Gate(pipeline.waiting, bounds, meter=ledger.meter)
    runner = JavaScriptRunner()  # begins no process before one is needed
    scripting = scripting or javascript(runner, performer or lookups, lambda: pipeline.project.targets)
    scripts = TaskScripts(scripting, ForeignProcessing(Tracker(pipeline), gate))
    directory = Directory(store, clock, lambda: pipeline.project)
    background = Background(pipeline, gate, lookups, spooling, rules, scripts, keeps_up=keeps_up)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        await tracker.start()
        async with AsyncExitStack() as closing:
            # The last one closes first.
            for each in (telemetry, spool, store, client, runner, outages, pipeline.late, directory):
                if each is not None:
                    closing.push_async_callback(each.close)
            async with background.running(), publishing(gauges), following_switches(pipeline):
                yield

    def open_breakers() -> list[OpenBreaker]:
        return [*limited.open_breakers(), *background.sending.open_breakers()]

    gauges = Gauges(pipeline, gate, lookups, open_breakers, spool)

    routes = _routes(tracker, background.forgettings, open_breakers, broken)
    routes.append(tracing_router(pipeline))
    routes.append(task_router(background.scheduling.scheduler))
    routes.append(metrics_handler(ServerMetrics(pipeline, ledger, gauges)))
    processing = ForeignProcessing(tracker, gate)
    routes += foreign_handlers(ForeignTracking(tracker, processing))
    routes += webhook_handlers(Webhooks(tracker, processing, scripting))
    routes.append(import_router(pipeline, ImportPipelines(pipeline, gate)))
    routes.append(replays_router(pipeline))
    routes += console_handlers(Site(pipeline))
    guard = AccessGuard(Credentials(admin_key, directory), directory)
    stream = Live(pipeline, guard, Streams())
    routes += [live_handler(stream), live_stream_handler(stream)]
    app = _application(tracker, gate, routes, guard, lifespan)
    app.state.directory = directory
    app.state.open_breakers = open_breakers
    app.state.forgettings = background.forgettings
    app.state.scheduler = background.scheduling.scheduler
    app.state.live = stream
    app.state.telemetry = telemetry
    return app


def _pipeline(telemetry: "Telemetry | None", parts: tuple[Any, ...]) -> Pipeline:
    """Return the pipeline of these parts: one that makes spans only if there is telemetry."""
    if telemetry is None:
        return Pipeline(*parts)
    from api.telemetry.telemetry import TracedLookups, TracedPipeline

    traced = TracedPipeline(*parts)
    traced.telemetry = telemetry
    traced.driver.performer = TracedLookups(traced.driver.performer, telemetry)
    return traced


def _routes(
    tracker: PayloadTracker,
    forgettings: Forgettings,
    open_breakers: Callable[[], list[OpenBreaker]],
    broken: tuple[str, ...],
) -> list[ControllerRouterHandler]:
    pipeline = tracker.pipeline

    def current_project() -> Project:
        return pipeline.project

    return [
        track_handler(tracker),
        collect_handler(tracker),
        consent_handler(tracker),
        root,
        live,
        *description_handlers(),
        ready_handler(tracker.readiness, current_project, open_breakers, broken),
        reading_router(pipeline.store, current_project, pipeline.clock, pipeline.ledger),
        identity_router(pipeline),
        forgetting_router(forgettings),
        deliveries_router(pipeline),
        waits_router(pipeline),
        account_router(),
        *tracker_handlers(),
    ]


def _application(
    tracker: PayloadTracker,
    gate: Gate,
    routes: list[ControllerRouterHandler],
    guard: AccessGuard,
    lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]],
) -> Litestar:
    app = Application(
        routes,
        guards=[guard],
        middleware=[decode_path_parameters],
        lifespan=[lifespan],
        openapi_config=None,  # `api.description` has a document of its own
        before_send=[restrict_browsers],
        exception_handlers={
            HTTPException: _http_exception,
            HttpProblem: _known,
            Refusal: _known,
            Refused: _refused,
            Unavailable: _known,
            Exception: _bug,
        },
        logging_config=None,
    )
    require_access(app)
    app.state.tracker = tracker
    app.state.gate = gate
    return app


def _http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    faults = error.extra if isinstance(error.extra, list) else []  # of a parameter, each with its name
    named = [f"`{fault['key']}`: {fault['message']}" for fault in faults if isinstance(fault, dict) and "key" in fault]
    detail = "; ".join(named) or error.detail
    if is_page(request):
        return failure_page(_site(request), request, error.status_code, detail)
    document = problem(error.status_code, detail)
    return Response(document, status_code=error.status_code, media_type=MEDIA_TYPE, headers=error.headers)


def _known(request: Request[Any, Any, Any], error: HttpProblem | Refusal | Unavailable) -> Response[Any]:
    if isinstance(error, Unavailable):
        request.app.state.tracker.pipeline.report(error)
    status, body, headers = answer_of(error)
    if is_page(request):
        return failure_page(_site(request), request, status, problem_of(error)[0]["detail"], headers)
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _refused(request: Request[Any, Any, Any], error: Refused) -> Response[Any]:
    """Answer a change of users or access keys that is not made."""
    return _known(request, HttpProblem(409, str(error)))


def _bug(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.error("a request failed", path=request.url.path, exc_info=error)
    why = "the request was not processed; the log of the server says why"
    if is_page(request):
        return failure_page(_site(request), request, 500, why)
    document = problem(500, why)
    return Response(document, status_code=500, media_type=MEDIA_TYPE)


def _site(request: Request[Any, Any, Any]) -> Site:
    return Site(request.app.state.tracker.pipeline)
