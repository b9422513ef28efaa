"""The OpenAPI document of `/track`, `/collect` and `/consent`, which are raw handlers that Litestar does not document.

A second application, never served, has typed handlers with the Structs that the decoder uses; its paths and schemas go
into the served application's document.
"""

from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, get, post
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI
from litestar.params import FromPath, FromQuery, JSONBody

from engine.tracking.intake.payload import EventPayload, MaybeRef, PayloadOptions, Ref, TrackPayload

TrackBody: Any = msgspec.defstruct(
    "TrackPayload",
    [
        (f.name, list[EventPayload] if f.name == "events" else f.type, *([] if f.required else [f.default]))
        for f in msgspec.structs.fields(TrackPayload)
    ],
    frozen=True,
)


@post("/track", status_code=200, summary="Track events of a session", tags=["tracking"])
async def track(
    data: JSONBody[TrackBody],
    profile_less: FromQuery[bool] = False,
) -> dict[str, Any]:
    """Answers `profile.id`, `source.consent`; `response`, `errors` and `debugging` where there are any."""
    return {}


class TimedConsent(msgspec.Struct, frozen=True):
    """A consent that is given until a time, e.g. `365d` from now, or taken back."""

    given: bool
    expires_in: str | None = None


class ConsentBody(msgspec.Struct, frozen=True):
    """The body of `POST /consent`."""

    source: Ref
    consents: dict[str, bool | TimedConsent]
    session: MaybeRef | None = None
    profile: MaybeRef | None = None
    visitor: MaybeRef | None = None
    user: MaybeRef | None = None
    id: str | None = None
    context: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    options: PayloadOptions | None = None


@post("/consent", status_code=200, summary="Give consents or take them back", tags=["tracking"])
async def consent(data: JSONBody[ConsentBody]) -> dict[str, Any]:
    """Does what one event `consent-changed` of `/track` does, and answers as that."""
    return {}


@post("/collect/{type:str}/{source:str}", status_code=200, summary="One event without a profile", tags=["tracking"])
async def collect(type: FromPath[str], source: FromPath[str], data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    """The body becomes the event's properties. Neither a profile nor a session is made."""
    return {}


@get("/collect/{type:str}/{source:str}", summary="One event without a profile, from a query", tags=["tracking"])
async def collect_query(type: FromPath[str], source: FromPath[str]) -> dict[str, Any]:
    """The query becomes the event's properties."""
    return {}


@post(
    "/collect/{type:str}/{source:str}/{session:str}",
    status_code=200,
    summary="One event of a session",
    tags=["tracking"],
)
async def collect_session(
    type: FromPath[str], source: FromPath[str], session: FromPath[str], data: JSONBody[dict[str, Any]]
) -> dict[str, Any]:
    """The body becomes the event's properties; session and profile are as with `/track`."""
    return {}


@get(
    "/collect/{type:str}/{source:str}/{session:str}", summary="One event of a session, from a query", tags=["tracking"]
)
async def collect_session_query(type: FromPath[str], source: FromPath[str], session: FromPath[str]) -> dict[str, Any]:
    """The query becomes the event's properties."""
    return {}


def describe(app: Litestar) -> None:
    """Put the tracking routes into the application's OpenAPI document."""
    served, tracking = app.openapi_schema, _tracking_document()
    served.paths = {**(tracking.paths or {}), **(served.paths or {})}
    if served.components and tracking.components:
        served.components.schemas = {**(tracking.components.schemas or {}), **(served.components.schemas or {})}


@cache
def _tracking_document() -> OpenAPI:
    """The document of the tracking routes, which is the same for every application."""
    twin = Litestar(
        [track, collect, collect_query, collect_session, collect_session_query, consent],
        openapi_config=OpenAPIConfig(title="tracking", version="1"),
        logging_config=None,
    )
    return twin.openapi_schema
