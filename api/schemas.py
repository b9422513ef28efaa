"""Schemas over HTTP: the declared and learnt fields of events, for operators."""

from collections.abc import Callable
from typing import Any

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from api.access.option import access
from api.description.operation import described
from api.documents.operating import SCHEMA, SchemaOfEvents
from engine.ports.store import Store
from engine.project.project import Project
from engine.tracking.operations.schemas import NoSuchCollection, describe_schema, describe_schemas


def schema_handlers(store: Store, project: Callable[[], Project]) -> list[HTTPRouteHandler]:
    """`GET /schemas` and `GET /schemas/TYPE`."""

    @get(
        "/schemas",
        summary="The fields of events with their types, declared or learnt",
        opt=access("viewer") | described("listSchemas", list[SchemaOfEvents], example=[SCHEMA]),
    )
    async def schemas() -> list[dict[str, Any]]:
        return await describe_schemas(store, project())

    @get(
        "/schemas/{type:str}",
        summary="The fields of events of one type, and how many values of each were refused",
        opt=access("viewer") | described("readSchema", SchemaOfEvents, example={**SCHEMA, "refused_more": False}),
    )
    async def schema(type: FromPath[str]) -> dict[str, Any]:
        try:
            return await describe_schema(store, project(), type)
        except NoSuchCollection as unknown:
            raise NotFoundException(str(unknown)) from unknown

    return [schemas, schema]
