"""The front page, and health: whether the process lives, and whether it can take events now."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from engine.tracking.pipeline.tracker import Tracker


@get("/", summary="Where to go from here")
async def root() -> dict[str, str]:
    """Names the addresses that somebody who came by will look for."""
    return {
        "name": "Headrace",
        "track": "POST /track; /schema shows what it takes",
        "schema": "/schema",
        "openapi": "/schema/openapi.json",
        "health": "/health/ready",
    }


@get("/health/live", summary="The process lives")
async def live() -> dict[str, str]:
    """Answers as long as the event loop runs."""
    return {"status": "live"}


def ready_handler(tracker: Tracker, broken: tuple[str, ...]) -> HTTPRouteHandler:
    """The handler of `/health/ready`; `broken` are the files of the project that could not be read."""

    @get("/health/ready", summary="Whether events can be taken, and if not, why")
    async def ready() -> Response[dict[str, Any]]:
        readiness = await tracker.readiness()
        told = {
            "status": readiness.status,
            "reason": readiness.reason,
            **({} if readiness.entries is None else {"spooled": readiness.entries}),
            "flows": len(tracker.project.flows),
            "broken": list(broken),
        }
        return Response(told, status_code=503 if readiness.status == "not ready" else 200)

    return ready
