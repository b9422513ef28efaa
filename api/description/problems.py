"""Problem documents in the description: their schema, and the answer for each status, with an example."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from api.description.operation import PROBLEM, Answer, Content, Header
from api.problem import TITLES, problem

RETRY_AFTER: Final = Header("Seconds after which to send the request again", int, required=True, example=1)
CHALLENGE: Final = Header("The scheme in which a key is sent", example="Bearer")
ALLOW: Final = Header("The methods of the address", example="POST, OPTIONS")

# What any address answers: the server itself refuses requests before they are read, or fails, or is overloaded.
ALWAYS: Final = (400, 408, 413, 431, 500, 503)

Status = Annotated[int, Meta(ge=400, le=599)]


class Problem(Struct, frozen=True, omit_defaults=True):
    """A problem document (RFC 9457): why a request was not taken, and what to change."""

    type: str
    title: str
    status: Status
    detail: str
    at: Annotated[str, Meta(description="A JSON pointer to the member of the body that is wrong")] = ""
    errors: Annotated[list[dict[str, Any]], Meta(description="What is wrong, one by one")] = []
    request: Annotated[str, Meta(description="The id of the request, as in `X-Request-ID` and the server's log")] = ""


DETAILS: Final[Mapping[int, str]] = {
    400: "the body is not JSON: unexpected end of input",
    401: "send `Authorization: Bearer KEY` with the key",
    403: "the source `shop` does not take events from the origin https://other.example",
    404: "there is no run 0193a7c2",
    405: "send a POST",
    408: "the request did not arrive within 30 s",
    409: "`fetch-orders` is being fired: wait for its end",
    410: "the person of this profile has been forgotten",
    413: "a body has at most 1048576 bytes, decompressed: send fewer events at once",
    415: "send JSON as application/json or text/plain, not text/html",
    422: "none of the events could be accepted",
    429: "too many requests with a wrong admin key: send the right one, later",
    431: "the head of a request has at most 65536 bytes",
    500: "the request was not processed; the log of the server says why",
    501: "scripts need the extra `js`: pip install 'headrace[js]'",
    503: "the store is away: send this again",
}
HEADERS: Final[Mapping[int, dict[str, Header]]] = {
    401: {"WWW-Authenticate": CHALLENGE},
    405: {"Allow": ALLOW},
    429: {"Retry-After": RETRY_AFTER},
    503: {"Retry-After": RETRY_AFTER},
}


def problem_answer(status: int, type: Any = Problem, **more: Any) -> Answer:
    """Return the answer of a status; `more` are members of the example."""
    example = problem(status, DETAILS[status], **more) | {"request": "0197f3c2a1b47000"}
    return Answer(TITLES[status], {PROBLEM: Content(type, {"example": example})}, HEADERS.get(status, {}))
