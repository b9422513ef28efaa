"""The front page, and health: whether the process lives, and whether it can take events now."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.access.option import access
from api.description.operation import described, json_answer
from api.documents.operating import ADDRESSES, NOT_READY, READY, Addresses, Live, Ready
from engine.project.project import Project
from engine.sending.sending import OpenBreaker
from engine.tracking.pipeline.tracker import Readiness


@get(
    "/",
    summary="Where to go from here",
    opt=access("public") | described("readAddresses", Addresses, example=ADDRESSES),
)
async def root() -> dict[str, str]:
    """Names the addresses that a visitor of the front page will look for."""
    return ADDRESSES


@get(
    "/health/live",
    summary="The process lives",
    opt=access("public") | described("readLiveness", Live, example={"status": "live"}),
)
async def live() -> dict[str, str]:
    """Answers as long as the event loop runs."""
    return {"status": "live"}


def ready_handler(
    readiness: Callable[[], Awaitable[Readiness]],
    project: Callable[[], Project],
    open_breakers: Callable[[], list[OpenBreaker]],
    broken: tuple[str, ...],
) -> HTTPRouteHandler:
    """Return the handler of `/health/ready`; `broken` are the files of the project that could not be read.

    It also names the targets to which nothing is sent now, since they fail: the server is ready all the same.
    """

    @get(
        "/health/ready",
        summary="Whether events can be taken, and if not, why",
        opt=access("public")
        | described(
            "readReadiness",
            {
                200: json_answer(Ready, READY, "Events are taken, at least into the spool"),
                503: json_answer(Ready, NOT_READY, "Events cannot be taken now"),
            },
        ),
    )
    async def ready() -> Response[dict[str, Any]]:
        now = await readiness()
        document: dict[str, Any] = {
            "status": now.status,
            "reason": now.reason,
            **({} if now.entries is None else {"spooled": now.entries}),
            "flows": len(project().flows),
            "broken": list(broken),
        }
        failing = {each.target: each.seconds for each in open_breakers()}
        if failing:
            document["failing_targets"] = failing  # with the seconds until the next attempt
        return Response(document, status_code=503 if now.status == "not ready" else 200)

    return ready
