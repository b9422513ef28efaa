"""`/schema`, a page for readers, and `/schema/openapi.json`, the document for programs. Anybody may ask for both."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from api.access.option import access
from api.description.operation import Answer, Content, described
from api.description.page import rendered
from api.description.routes import document_of

MEDIA_TYPE: Final = "application/vnd.oai.openapi+json"
PAGE_TYPE: Final = "text/html"


def description_handlers() -> list[HTTPRouteHandler]:
    """Return the handlers. They make the document when they are first asked for it, as nothing else needs it."""
    made: dict[str, bytes] = {}

    @get(
        "/schema",
        summary="This description as a page",
        media_type=PAGE_TYPE,
        opt=access("public") | described("readApiPage", _answer(PAGE_TYPE, str)),
    )
    async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        if PAGE_TYPE not in made:
            made[PAGE_TYPE] = rendered(document_of(request.app))
        return Response(made[PAGE_TYPE], media_type=PAGE_TYPE)

    @get(
        "/schema/openapi.json",
        summary="This description as an OpenAPI document",
        opt=access("public") | described("readApiDescription", _answer(MEDIA_TYPE, dict[str, Any])),
    )
    async def document(request: Request[Any, Any, Any]) -> Response[bytes]:
        if MEDIA_TYPE not in made:
            made[MEDIA_TYPE] = msgspec.json.encode(document_of(request.app))
        return Response(made[MEDIA_TYPE], media_type=MEDIA_TYPE)

    return [page, document]


def _answer(media_type: str, type: Any) -> Answer:
    return Answer("The description", {media_type: Content(type)})
