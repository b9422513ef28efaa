"""The route by which operators split a profile: it undoes a link that joined two ids."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Router, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.option import access
from api.description.operation import described
from api.documents.profile import UNMERGED
from api.documents.profile import Unmerged as UnmergedDocument
from api.problem import HttpProblem
from engine.ports.resolve import NotFound
from engine.profile.merge_history import describe_link
from engine.tracking.operations.unmerging import Unmerged, unmerge_served
from engine.tracking.pipeline.pipeline import Pipeline


class LinkName(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: the id of the link to undo, or the beginning of that id if no other link's id begins so."""

    link: str


def identity_router(pipeline: Pipeline) -> Router:
    """Return the routes that change identities, for no page of another origin."""

    @post(
        "/profiles/{id:str}/unmerge",
        status_code=200,
        summary="Undo a link that has joined profiles",
        opt=access("operator")
        | described("unmergeProfile", UnmergedDocument, example=UNMERGED, body={"link": "5d1f2c"}),
    )
    async def unmerge(request: Request[Any, Any, Any], id: FromPath[str], data: JSONBody[LinkName]) -> dict[str, Any]:
        mask = mask_of(request)
        try:
            async with audited(request, "unmerge a profile", f"profile/{id}", f"link/{data.link}"):
                undone = serialize_unmerged(await unmerge_served(pipeline, id, data.link))
            return undone | {"profiles": [mask.profile(each) for each in undone["profiles"]]}
        except NotFound as unknown:
            raise NotFoundException(str(unknown)) from unknown

    return Router("/", route_handlers=[unmerge], guards=[no_foreign_page], tags=["identity"])


async def no_foreign_page(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: a page elsewhere can make its visitor's browser send, but neither as JSON nor without its origin."""
    if connection.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HttpProblem(415, "send `Content-Type: application/json`")
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != connection.headers.get("host"):
        raise HttpProblem(403, "pages of another origin may not do this")


def serialize_unmerged(undone: Unmerged) -> dict[str, Any]:
    """The answer: the undone link, the profiles after it, and the other links that still join its two ids."""
    return {
        "link": describe_link(undone.link),
        "profiles": [known.view for known in undone.profiles],
        "still_joined_by": [describe_link(link) for link in undone.still],
    }
