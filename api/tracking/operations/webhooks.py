"""The operations of webhooks. What one takes and answers is up to its file in the project."""

from typing import Any, Final

from api.description.operation import JSON, Answer, Body, Content, Operation, Parameter
from engine.tracking.intake.form import MULTIPART

FORM: Final = "application/x-www-form-urlencoded"
NAME: Final = Parameter("name", "path", "The name of a webhook of the project", example="stripe")
TAKEN: Final = Answer(
    "`1` if an event of the request is stored, `0` if it made none; or what the webhook's file says",
    {JSON: Content(Any, {"example": 1}), "text/plain": Content(str), "text/xml": Content(str)},
)
BODY: Final = Body(
    {
        JSON: Content(Any, {"example": {"id": "evt_1", "type": "invoice.paid"}}),
        FORM: Content(dict[str, str]),
        MULTIPART: Content(dict[str, str]),
        "text/plain": Content(str),
    },
    required=False,
)
METHODS: Final = {"POST": "send", "PUT": "put", "GET": "call"}


def webhook_operations(address: str, name: str) -> tuple[Operation, ...]:
    """Return the operations below an address; their ids end in `name`."""
    return tuple(
        Operation(
            method=method,
            path=f"{address}/{{name}}",
            id=f"{verb}{name}",
            tag="webhooks",
            summary="A request to a webhook",
            description="Which methods a webhook takes, and how a request is signed, is in its file.",
            parameters=(NAME,),
            body=BODY if method != "GET" else None,
            answers={200: TAKEN},
            problems=(401, 403, 404, 405, 410, 415, 501),
            security=("none", "sourceKey"),
        )
        for method, verb in METHODS.items()
    )
