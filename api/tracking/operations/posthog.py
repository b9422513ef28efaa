"""The operations of PostHog's clients."""

from typing import Any, Final

from msgspec import Struct, field

from api.description.operation import Body, Content, Operation, Parameter, json_answer, json_body, json_content

PROBLEMS: Final = (401, 403, 415)
FORM: Final = "application/x-www-form-urlencoded"
Object = dict[str, Any]


class PostHogCapture(Struct, frozen=True, kw_only=True):
    """An event. A server names who did it in `distinct_id`, a page in the properties."""

    event: str
    distinct_id: str | None = None
    uuid: str | None = None
    timestamp: str | None = None
    properties: Object | None = None
    set: Object | None = field(name="$set", default=None)
    set_once: Object | None = field(name="$set_once", default=None)
    api_key: str | None = None
    token: str | None = None


class PostHogBatch(Struct, frozen=True):
    """Several events. `sent_at` is the client's clock."""

    api_key: str
    batch: list[PostHogCapture]
    sent_at: str | None = None


class PostHogForm(Struct, frozen=True):
    """A form: the JSON of an event, of a list or of a batch; or the same as base64."""

    data: str


class PostHogTaken(Struct, frozen=True):
    """The events are stored, or recorded as rejected."""

    status: int


class PostHogQuestion(Struct, frozen=True):
    """A question; the key is in one of its members."""

    api_key: str | None = None
    token: str | None = None


class NoFlags(Struct, frozen=True, rename="camel"):
    """There are no feature flags."""

    flags: Object
    feature_flags: Object
    feature_flag_payloads: Object
    errors_while_computing_flags: bool


EVENT: Final = {"api_key": "shop", "event": "order-placed", "distinct_id": "u-1", "properties": {"total": 12.5}}
BATCH: Final = {"api_key": "shop", "batch": [{"event": "order-placed", "distinct_id": "u-1"}]}
TAKEN: Final = json_answer(PostHogTaken, {"status": 1}, "Every event is stored, or recorded as rejected")
FLAGS: Final = {"flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False}


def _events(path: str, id: str, summary: str, type: Any, example: Any) -> Operation:
    form = {FORM: Content(PostHogForm, {"example": {"data": '{"api_key": "shop", "event": "order-placed"}'}})}
    return Operation(
        method="POST",
        path=path,
        id=id,
        tag="posthog",
        summary=summary,
        description="Takes an event, a list of events, or a batch. The key is in the body.",
        body=Body({**json_content(type, example), **form}),
        answers={200: TAKEN},
        problems=PROBLEMS,
    )


EVENTS: Final = (
    _events("/batch", "postHogBatch", "A batch of events", PostHogBatch, BATCH),
    _events("/capture", "postHogCapture", "An event", PostHogCapture, EVENT),
    _events("/e", "postHogEvent", "An event of a page", PostHogCapture, EVENT),
    _events("/i/v0/e", "postHogEventOfClient", "An event of later clients", PostHogCapture, EVENT),
)
CONFIGURATION: Final = Operation(
    method="GET",
    path="/array/{key}/config",
    id="postHogConfiguration",
    tag="posthog",
    summary="The configuration of PostHog's browser client",
    parameters=(Parameter("key", "path", "The key of the source", example="shop"),),
    answers={200: json_answer(Object, {"token": "shop"}, "The configuration: the client sends here, and nothing else")},
    problems=(401, 403, 404),
)


def _flags(path: str, id: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        id=id,
        tag="posthog",
        summary="A question for feature flags, of which there are none",
        body=json_body(PostHogQuestion, {"api_key": "shop"}),
        answers={200: json_answer(NoFlags, FLAGS, "There are none")},
        problems=PROBLEMS,
    )


QUESTIONS: Final = (_flags("/flags", "postHogFlags"), _flags("/decide", "postHogDecide"))
