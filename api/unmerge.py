"""What operators may change of who is who: a step that has joined profiles is undone."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Router, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api.problem import HttpProblem
from api.reading import ReadGuard
from engine.ports.resolve import NotFound
from engine.profile.merge_history import describe_link
from engine.tracking.operations.unmerging import Unmerged, unmerge_served
from engine.tracking.pipeline.tracker import Tracker


class StepNamed(Struct, frozen=True, forbid_unknown_fields=True):
    """The body: which step is to be undone. The beginning of its id will do, if no other begins so."""

    step: str


def identity_router(tracker: Tracker, may_read: ReadGuard) -> Router:
    """The routes that change identities; open to those who may read, and to no page of another origin."""

    @post("/profiles/{id:str}/unmerge", status_code=200, summary="Undo a step that has joined profiles")
    async def unmerge(id: FromPath[str], data: JSONBody[StepNamed]) -> dict[str, Any]:
        try:
            return serialize_unmerged(await unmerge_served(tracker, id, data.step))
        except NotFound as unknown:
            raise NotFoundException(str(unknown)) from unknown

    return Router("/", route_handlers=[unmerge], guards=[may_read, no_foreign_page], tags=["identity"])


def no_foreign_page(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: a page elsewhere can make its visitor's browser send, but neither as JSON nor without its origin."""
    if connection.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HttpProblem(415, "send `Content-Type: application/json`")
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != connection.headers.get("host"):
        raise HttpProblem(403, "pages of another origin may not do this")


def serialize_unmerged(undone: Unmerged) -> dict[str, Any]:
    """What there is after a step was undone: its profiles, and why two ids may be together all the same."""
    return {
        "step": describe_link(undone.step),
        "profiles": [known.view for known in undone.profiles],
        "still_joined_by": [describe_link(step) for step in undone.still],
    }
