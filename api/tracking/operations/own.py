"""The operations of Headrace's own protocol: `/track`, `/collect` and `/consent`."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from api.description.operation import JSON, Body, Content, Operation, Parameter, Security, json_answer, json_body
from engine.tracking.intake.form import MULTIPART
from engine.tracking.intake.payload import EventPayload, MaybeRef, PayloadOptions, Ref, Token, TrackPayload

FORM: Final = "application/x-www-form-urlencoded"
SECURITY: Final[tuple[Security, ...]] = ("none", "sourceKey")
PROBLEMS: Final = (401, 403, 404, 410, 415, 422)
COMPRESSED: Final = "A body may be compressed by gzip, or be sent as `text/plain`, so that a page needs no preflight."

TrackBody: Any = msgspec.defstruct(
    "TrackPayload",
    [
        (f.name, list[EventPayload] if f.name == "events" else f.type, *([] if f.required else [f.default]))
        for f in msgspec.structs.fields(TrackPayload)
    ],
    frozen=True,
    namespace={"__doc__": TrackPayload.__doc__},
)


class TimedConsent(Struct, frozen=True):
    """A consent that is given until a time, e.g. `365d` from now, or taken back."""

    given: bool
    expires_in: str | None = None


class ConsentBody(Struct, frozen=True):
    """The body of `POST /consent`."""

    source: Ref
    consents: dict[str, bool | TimedConsent]
    session: MaybeRef | None = None
    profile: MaybeRef | None = None
    visitor: MaybeRef | None = None
    user: MaybeRef | None = None
    id: str | None = None
    time: Any = None
    context: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    options: PayloadOptions | None = None
    userToken: Token | None = None  # noqa: N815  # the wire's word


class AnsweredProfile(Struct, frozen=True):
    """The profile of the sender: its id, which the client sends again; all of it where it was asked for."""

    id: str | None


class AnsweredSource(Struct, frozen=True):
    """Whether the source asks for consents."""

    consent: bool


class EventFault(Struct, frozen=True):
    """An event that was rejected: its place, the JSON pointer to what is wrong, and the reason."""

    index: int
    at: str
    reason: str


class TrackAnswer(Struct, frozen=True):
    """The answer to events. `response` is what flows respond; `debugging` is there where it was asked for."""

    profile: AnsweredProfile
    source: AnsweredSource
    response: dict[str, Any] | UnsetType = UNSET
    errors: list[EventFault] | UnsetType = UNSET
    debugging: dict[str, Any] | UnsetType = UNSET


TRACK_EXAMPLE: Final[dict[str, Any]] = {
    "source": {"id": "shop"},
    "session": {"id": "s-1"},
    "events": [{"type": "order-placed", "id": "order-1", "properties": {"total": 12.5}}],
}
ANSWER: Final = json_answer(
    TrackAnswer,
    {"profile": {"id": "0193a7c2f1d84e0b"}, "source": {"consent": False}},
    "The events are stored; those in `errors` are not, and the others are",
)
TYPE: Final = Parameter("type", "path", "The type of the event", example="order-placed")
SOURCE: Final = Parameter("source", "path", "The id of the source", example="shop")
SESSION: Final = Parameter("session", "path", "The id of the session", example="s-1")
QUERY: Final = Parameter("properties", "query", "Any names: the properties of the event", dict[str, str], pairs=True)
BODY: Final = Body(
    {
        JSON: Content(dict[str, Any] | list[dict[str, Any]], {"example": {"total": 12.5}}),
        FORM: Content(dict[str, str], {"example": {"total": "12.50"}}),
        MULTIPART: Content(dict[str, str]),
    },
    required=False,
)


def _operation(method: str, path: str, id: str, summary: str, description: str, **more: Any) -> Operation:
    return Operation(
        method=method,
        path=path,
        id=id,
        tag="tracking",
        summary=summary,
        description=description,
        answers={200: ANSWER},
        problems=PROBLEMS,
        security=SECURITY,
        **more,
    )


TRACK: Final = _operation(
    "POST",
    "/track",
    "trackEvents",
    "Track events of a session",
    f"An event with an `id` takes effect once, however often it is sent. {COMPRESSED}",
    parameters=(Parameter("profile_less", "query", "The events have no profile", bool, default=False),),
    body=json_body(TrackBody, TRACK_EXAMPLE),
)
CONSENT: Final = _operation(
    "POST",
    "/consent",
    "giveConsent",
    "Give consents or take them back",
    f"Does what one event `consent-changed` of `/track` does, and answers as that. {COMPRESSED}",
    body=json_body(ConsentBody, {"source": {"id": "shop"}, "session": {"id": "s-1"}, "consents": {"marketing": True}}),
)
COLLECT: Final = (
    _operation(
        "POST",
        "/collect/{type}/{source}",
        "collectEvents",
        "Events without a profile",
        "The body becomes the event's properties; a list is a list of events. Neither a profile nor a session is made.",
        parameters=(TYPE, SOURCE),
        body=BODY,
    ),
    _operation(
        "GET",
        "/collect/{type}/{source}",
        "collectEventOfQuery",
        "One event without a profile, from a query",
        "The query becomes the event's properties.",
        parameters=(TYPE, SOURCE, QUERY),
    ),
    _operation(
        "POST",
        "/collect/{type}/{source}/{session}",
        "collectEventsOfSession",
        "Events of a session",
        "The body becomes the event's properties; session and profile are as with `/track`.",
        parameters=(TYPE, SOURCE, SESSION),
        body=BODY,
    ),
    _operation(
        "GET",
        "/collect/{type}/{source}/{session}",
        "collectEventOfSessionFromQuery",
        "One event of a session, from a query",
        "The query becomes the event's properties.",
        parameters=(TYPE, SOURCE, SESSION, QUERY),
    ),
)
