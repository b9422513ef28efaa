"""The operations of Segment's and RudderStack's clients."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from api.description.operation import Operation, Parameter, Security, json_answer, json_body
from engine.tracking.foreign.segment import SHORT

SECURITY: Final[tuple[Security, ...]] = ("basicKey", "keyInQuery", "sourceKey", "none")
PROBLEMS: Final = (401, 403, 415)
KINDS: Final = ("track", "identify", "page", "screen", "group", "alias")
KEY: Final = Parameter("key", "path", "The key of the source", example="shop")

Time = Annotated[str, Meta(description="ISO 8601")]
Object = dict[str, Any]


class SegmentCall(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The members of every call. A device is named by `anonymousId`, a user by `userId`."""

    message_id: str | None = None
    anonymous_id: str | None = None
    user_id: str | None = None
    timestamp: Time | None = None
    sent_at: Time | None = None
    context: Object | None = None
    integrations: Object | None = None
    write_key: str | None = None


class SegmentTrack(SegmentCall, frozen=True, rename="camel", kw_only=True):
    """Something that a user did. `event` is its name, and becomes the type of the event."""

    event: Annotated[str, Meta(min_length=1)]
    properties: Object | None = None


class SegmentIdentify(SegmentCall, frozen=True, rename="camel"):
    """The traits of a user."""

    traits: Object | None = None


class SegmentPage(SegmentCall, frozen=True, rename="camel"):
    """A page that was shown."""

    name: str | None = None
    category: str | None = None
    properties: Object | None = None


class SegmentScreen(SegmentCall, frozen=True, rename="camel"):
    """A screen that was shown."""

    name: str | None = None
    category: str | None = None
    properties: Object | None = None


class SegmentGroup(SegmentCall, frozen=True, rename="camel"):
    """A group to which the user belongs."""

    group_id: str | None = None
    traits: Object | None = None


class SegmentAlias(SegmentCall, frozen=True, rename="camel"):
    """An earlier id of the user."""

    previous_id: str | None = None


class SegmentItem(SegmentCall, frozen=True, rename="camel", kw_only=True):
    """A call in a batch, with the members of its kind."""

    type: Literal["track", "identify", "page", "screen", "group", "alias"]
    event: str | None = None
    properties: Object | None = None
    traits: Object | None = None
    name: str | None = None
    category: str | None = None
    group_id: str | None = None
    previous_id: str | None = None


class SegmentBatch(Struct, frozen=True, rename="camel"):
    """Calls of any kinds."""

    batch: list[SegmentItem]
    sent_at: Time | None = None
    write_key: str | None = None


class SegmentTaken(Struct, frozen=True):
    """The events are stored, or recorded as rejected."""

    success: bool
    status: int


BODIES: Final[dict[str, tuple[type, Object]]] = {
    "track": (SegmentTrack, {"userId": "u-1", "event": "order-placed", "properties": {"total": 12.5}}),
    "identify": (SegmentIdentify, {"userId": "u-1", "traits": {"name": "Ada"}}),
    "page": (SegmentPage, {"anonymousId": "d-1", "name": "Home"}),
    "screen": (SegmentScreen, {"anonymousId": "d-1", "name": "Home"}),
    "group": (SegmentGroup, {"userId": "u-1", "groupId": "g-1", "traits": {"plan": "team"}}),
    "alias": (SegmentAlias, {"userId": "u-1", "previousId": "d-1"}),
    "batch": (SegmentBatch, {"batch": [{"type": "track", "userId": "u-1", "event": "order-placed"}]}),
    "import": (SegmentBatch, {"batch": [{"type": "track", "userId": "u-1", "event": "order-placed"}]}),
}
TAKEN: Final = json_answer(SegmentTaken, {"success": True, "status": 1}, "Every event is stored, or is rejected")


def _calls(path: str, id: str, kind: str, summary: str) -> Operation:
    type, example = BODIES[kind]
    return Operation(
        method="POST",
        path=path,
        id=id,
        tag="segment",
        summary=summary,
        description="A problem document also has `code` and `message`. The key may be `writeKey` of the body, too.",
        body=json_body(type, example),
        answers={200: TAKEN},
        problems=PROBLEMS,
        security=SECURITY,
    )


CALLS: Final = (
    *[_calls(f"/v1/{kind}", f"segment{kind.capitalize()}", kind, f"Segment's `{kind}`") for kind in KINDS],
    _calls("/v1/batch", "segmentBatch", "batch", "Calls of any kinds"),
    _calls("/v1/import", "segmentImport", "import", "Calls of any kinds, of the past"),
    *[
        _calls(f"/v1/{short}", f"segmentBrowser{kind.capitalize()}", kind, f"Segment's `{kind}`, of browsers")
        for short, kind in SHORT.items()
    ],
    _calls("/v1/b", "segmentBrowserBatch", "batch", "Calls of any kinds, of browsers"),
    _calls("/beacon/v1/batch", "rudderBeacon", "batch", "Calls of any kinds, of pages that are being left"),
)


def _configuration(path: str, id: str, summary: str, **more: Any) -> Operation:
    return Operation(
        method="GET",
        path=path,
        id=id,
        tag="segment",
        summary=summary,
        answers={200: json_answer(Object, {}, "The configuration: the client sends here, and loads nothing else")},
        problems=(401, 403, 404),
        **more,
    )


SETTINGS: Final = _configuration(
    "/v1/projects/{key}/settings", "segmentSettings", "The configuration of Segment's browser client", parameters=(KEY,)
)
SOURCE_CONFIGURATION: Final = _configuration(
    "/sourceConfig",
    "rudderSourceConfig",
    "The configuration of RudderStack's browser client",
    security=("basicKey", "keyInQuery"),
)
FIGURES: Final = Operation(
    method="POST",
    path="/v1/m",
    id="segmentFigures",
    tag="segment",
    summary="Figures of Segment's browser client about itself, which are dropped",
    body=json_body(dict[str, Any], {"series": []}),
    answers={200: TAKEN},
    problems=(415,),
)
