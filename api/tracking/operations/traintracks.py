"""The operations of Traintracks' clients."""

from typing import Any, Final, Literal

from msgspec import Struct

from api.description.operation import Operation, Parameter, json_answer, json_body
from api.tracking.operations.own import EventFault


class TraintracksEvent(Struct, frozen=True, rename="camel"):
    """An event, with its type, its properties in `data`, and who did it when."""

    event_type: str
    data: dict[str, Any] | None = None
    client_timestamp: str | None = None
    server_timestamp: str | None = None
    session_id: str | int | None = None
    user_id: str | int | None = None
    user_name: str | None = None
    device: Any = None
    build: Any = None
    location: Any = None


class TraintracksTaken(Struct, frozen=True):
    """How many events were taken, and why others were not."""

    status: Literal["ok"]
    accepted: int
    errors: list[EventFault]


EXAMPLE: Final = [{"eventType": "order-placed", "sessionId": "s-1", "userId": "u-1", "data": {"total": 12.5}}]


def _events(path: str, id: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        id=id,
        tag="traintracks",
        summary="Events, which the client has signed",
        parameters=(
            Parameter(
                "X-Product-Auth",
                "header",
                "The MD5 of the body and the `product_secret` of the source, in lower-case hex",
                example="9e107d9d372bb6826bd81d3542a419d6",
            ),
            Parameter("Remote-Address", "header", "The address of the client, where a proxy sends its events"),
        ),
        body=json_body(list[TraintracksEvent], EXAMPLE),
        answers={200: json_answer(TraintracksTaken, {"status": "ok", "accepted": 1, "errors": []})},
        problems=(401, 403, 415),
        security=("productKey",),
    )


EVENTS: Final = (_events("/v1/events", "traintracksEvents"), _events("/v1", "traintracksEventsOfVersion1"))
