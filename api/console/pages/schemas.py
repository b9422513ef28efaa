"""`/console/schemas` and `/console/schemas/TYPE`: the fields of events, declared or learnt, and what they refused."""

from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from api.access.option import access
from api.console.queries import quoted_word
from api.console.site import Site, link, path_of
from api.console.words import visible
from engine.tracking.operations.schemas import NoSuchCollection, describe_schema, describe_schemas

TAB: Final = "/console/schemas"
Document = dict[str, Any]


class SchemaRow(Struct, frozen=True):
    """The fields of one type of event, as the list shows them."""

    type: str
    description: str
    link: str
    declared: int
    learnt: int
    full: bool


class FieldRow(Struct, frozen=True):
    """A field: its type, where that is from, and how many values were refused."""

    name: str
    type: str
    origin: str
    description: str
    since: int | None
    event: str
    event_link: str
    differs: str
    refused: int


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the list of schemas, and of the page of one."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def schemas(request: Request[Any, Any, Any]) -> Response[str]:
        rows = [_row(each) for each in await describe_schemas(site.store, site.project)]
        return site.page(request, "schemas.html", tab=TAB, rows=rows)

    @get(f"{TAB}/{{type:str}}", include_in_schema=False, opt=access("viewer"))
    async def schema(request: Request[Any, Any, Any], type: FromPath[str]) -> Response[str]:
        try:
            document = await describe_schema(site.store, site.project, type)
        except NoSuchCollection as unknown:
            raise NotFoundException(str(unknown)) from unknown
        return site.page(
            request,
            "schema.html",
            tab=TAB,
            schema=_row(document),
            fields=[_field(each) for each in document["fields"]],
            more=document["refused_more"],
            events_link=link("/console/events", q=f"type:{quoted_word(type)}"),
            refused_link=link("/console/rejected", q=f"reason:{quoted_word(f' of `{type}` is ')}"),
        )

    return [schemas, schema]


def _row(document: Document) -> SchemaRow:
    origins = [each["from"] for each in document["fields"]]
    return SchemaRow(
        type=visible(document["schema"]),
        description=visible(document["description"]),
        link=path_of("schemas", document["schema"]),
        declared=origins.count("declared"),
        learnt=origins.count("learnt"),
        full=document["full"],
    )


def _field(field: Document) -> FieldRow:
    event, learnt = str(field.get("event") or ""), str(field.get("learnt") or "")
    return FieldRow(
        name=visible(field["name"]),
        type=field["type"],
        origin=field["from"],
        description=visible(field.get("description", "")),
        since=field.get("since"),
        event=event,
        event_link=path_of("events", event) if event else "",
        differs=learnt if learnt and learnt != field["type"] else "",
        refused=field["refused"],
    )
