"""The operations of Rakam's clients."""

from typing import Any, Final

from msgspec import Struct, field

from api.description.operation import (
    BINARY,
    JSON,
    PROBLEM,
    Answer,
    Body,
    Content,
    Header,
    Operation,
    Parameter,
    Security,
    json_answer,
    json_body,
)
from api.description.problems import Problem, problem_answer
from engine.tracking.foreign.rakam_bulk import AVRO, LINES

SECURITY: Final[tuple[Security, ...]] = ("rakamKey", "none")
PROBLEMS: Final = (403, 415)
NOTE: Final = "The key may also be in `api.api_key` of the body. A problem document has `error` and `errors`, too."
Object = dict[str, Any]


class RakamApi(Struct, frozen=True):
    """The sender: its key, and its clock when it sent the request."""

    api_key: str
    api_version: str | None = None
    upload_time: int | None = None
    checksum: str | None = None
    library: Object | None = None


class RakamEvent(Struct, frozen=True):
    """An event. Of its properties, `_user`, `_device_id`, `_session_id`, `_time` and `_id` say whose it is and when."""

    collection: str
    properties: Object
    api: RakamApi | None = None


class RakamBatch(Struct, frozen=True):
    """Events of one sender."""

    api: RakamApi
    events: list[RakamEvent]


class RakamProperties(Struct, frozen=True):
    """Properties to set of the user `id`."""

    id: str | int
    properties: Object
    api: RakamApi | None = None


class RakamIncrement(Struct, frozen=True):
    """A property of the user `id` to which `value` is added."""

    id: str | int
    property: str
    value: float
    api: RakamApi | None = None


class RakamUnset(Struct, frozen=True):
    """Properties of the user `id` to remove."""

    id: str | int
    properties: list[str]
    api: RakamApi | None = None


class RakamMerge(Struct, frozen=True):
    """A visitor who has become the user `id`."""

    id: str | int
    anonymous_id: str | None = None
    api: RakamApi | None = None


class RakamOperations(Struct, frozen=True):
    """Operations on one user."""

    set_properties: Object | None = None
    set_properties_once: Object | None = None
    increment_properties: dict[str, float] | None = None
    unset_properties: list[str] | None = None
    time: int | None = None


class RakamOperationsOfUser(RakamOperations, frozen=True, kw_only=True):
    """Operations on the user `id`."""

    id: str | int


class RakamUserBatch(Struct, frozen=True):
    """Operations on the user `id`, one after the other."""

    id: str | int
    data: list[RakamOperations]
    api: RakamApi | None = None


class RakamOperationsBatch(Struct, frozen=True):
    """Operations on several users."""

    data: list[RakamOperationsOfUser]
    api: RakamApi | None = None


class RakamBulkTaken(Struct, frozen=True):
    """Every event is stored, or recorded as rejected."""

    success: bool = field(default=True)


API: Final = {"api_key": "shop"}
EVENT: Final = {"api": API, "collection": "order-placed", "properties": {"_user": "u-1", "total": 12.5}}
BATCH: Final = {"api": API, "events": [{"collection": "order-placed", "properties": {"_user": "u-1"}}]}
USER: Final = {"api": API, "id": "u-1"}
TAKEN: Final = json_answer(int, 1, "Every event is stored, or recorded as rejected")
TAKEN_IN_BULK: Final = json_answer(RakamBulkTaken, {"success": True}, "Every event is stored, or recorded as rejected")
IMAGE: Final = Answer(
    "A transparent pixel; where the event was not taken, a header says why",
    {"image/gif": Content(BINARY)},
    {"server-error": Header("Why the event was not taken", example="api_key is invalid")},
)


def _operation(path: str, id: str, summary: str, body: Body, answer: Answer = TAKEN, **more: Any) -> Operation:
    return Operation(
        **{
            "method": "POST",
            "path": path,
            "id": id,
            "tag": "rakam",
            "summary": summary,
            "description": NOTE,
            "body": body,
            "answers": {200: answer},
            "problems": PROBLEMS,
            "security": SECURITY,
            **more,
        }
    )


SINGLE: Final = (
    _operation("/event/collect", "rakamCollect", "One event", json_body(RakamEvent, EVENT)),
    _operation(
        "/user/set_properties",
        "rakamSetProperties",
        "Set properties of a user",
        json_body(RakamProperties, {**USER, "properties": {"name": "Ada"}}),
    ),
    _operation(
        "/user/set_properties_once",
        "rakamSetPropertiesOnce",
        "Set properties that a user does not have",
        json_body(RakamProperties, {**USER, "properties": {"origin": "shop"}}),
    ),
    _operation(
        "/user/increment_property",
        "rakamIncrementProperty",
        "Add to a property of a user",
        json_body(RakamIncrement, {**USER, "property": "orders", "value": 1}),
    ),
    _operation(
        "/user/unset_properties",
        "rakamUnsetProperties",
        "Remove properties of a user",
        json_body(RakamUnset, {**USER, "properties": ["name"]}),
    ),
    _operation(
        "/user/merge",
        "rakamMerge",
        "Say that a visitor is a user",
        json_body(RakamMerge, {**USER, "anonymous_id": "d-1"}),
    ),
)
EVENT_BATCH: Final = _operation("/event/batch", "rakamBatch", "Events", json_body(RakamBatch, BATCH))
USER_BATCH: Final = _operation(
    "/user/batch",
    "rakamUserBatch",
    "Operations on a user",
    json_body(RakamUserBatch, {**USER, "data": [{"set_properties": {"name": "Ada"}}]}),
)
USERS_BATCH: Final = _operation(
    "/user/batch_operations",
    "rakamBatchOperations",
    "Operations on several users, with the key of a secret source",
    json_body(RakamOperationsBatch, {"api": API, "data": [{"id": "u-1", "set_properties": {"name": "Ada"}}]}),
)
BULK_BODY: Final = Body(
    {
        JSON: Content(RakamBatch, {"example": BATCH}),
        **{media_type: Content(str, {"example": '{"_user": "u-1", "total": 12.5}\n'}) for media_type in LINES},
        "text/csv": Content(str, {"example": "_user,total\nu-1,12.5\n"}),
        AVRO: Content(BINARY),
    }
)
BULK_PARAMETERS: Final = (
    Parameter("collection", "query", "The type of the events of lines, of CSV and of Avro", example="order-placed"),
    Parameter("column_separator", "query", "Of CSV", default=","),
    Parameter("use_header", "query", "CSV has the names of the columns in its first line", bool, example=True),
)
BULK: Final = tuple(
    _operation(path, id, summary, BULK_BODY, TAKEN_IN_BULK, parameters=BULK_PARAMETERS)
    for path, id, summary in (
        ("/event/bulk", "rakamBulk", "Many events, with the key of a secret source"),
        ("/event/copy", "rakamCopy", "The same as `/event/bulk`"),
    )
)
COMMIT: Final = _operation(
    "/event/bulk/commit",
    "rakamBulkCommit",
    "The end of a bulk, whose events are stored already",
    Body({JSON: Content(Object, {"example": {}})}, required=False),
    TAKEN_IN_BULK,
)


def _pixel(method: str, id: str) -> Operation:
    failed = {
        status: Answer(
            problem_answer(status).description,
            {"image/gif": Content(BINARY), PROBLEM: Content(Problem)},
            problem_answer(status).headers if status == 503 else {},
        )
        for status in (500, 503)
    }
    return _operation(
        "/event/pixel",
        id,
        "One event in a query, for pages and mails that can only load an image",
        Body({JSON: Content(Object)}, required=False) if method == "POST" else None,  # type: ignore[arg-type]
        method=method,
        description="Members of `api` have names with `api.`, and properties with `prop.` before them.",
        parameters=(
            Parameter("collection", "query", "The type of the event", example="opened"),
            Parameter("api.api_key", "query", "The key of the source", example="shop"),
            Parameter("prop._user", "query", "The user", example="u-1"),
        ),
        answers={200: IMAGE, **failed},
    )


PIXEL: Final = (_pixel("GET", "rakamPixel"), _pixel("POST", "rakamPixelPosted"))
