"""Problem documents (RFC 9457): how HTTP says what is wrong and what to change."""

from typing import Any

import msgspec

from api.request_id import request_id
from engine.ports.store import TooLarge, Unavailable
from engine.tracking.intake.payload import Refusal, Wrongness

MEDIA_TYPE = "application/problem+json"

STATUS: dict[Wrongness, int] = {
    "malformed": 400,
    "unauthorised": 401,
    "not-allowed": 403,
    "too-large": 413,
    "nothing-accepted": 422,
    "forgotten": 410,
}
TITLES = {
    400: "The request is malformed",
    401: "The sender is not known",
    403: "The sender may not do this",
    404: "There is no such thing here",
    405: "This method is not for this address",
    408: "The request did not arrive in time",
    409: "This cannot be done now",
    410: "The person has been forgotten",
    413: "The request is too large",
    415: "The request's media type is not taken",
    422: "Nothing in the request could be accepted",
    429: "There are too many requests",
    431: "The headers are too large",
    500: "Headrace has a bug",
    501: "A part of Headrace is not installed",
    503: "Headrace cannot take this now",
}


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """The problem document of a status, with the id of the request under way, which log lines have as well.

    `more` are extension members, e.g. `at` (a JSON pointer) and `errors`.
    """
    members = {name: value for name, value in more.items() if value}
    if (request := request_id()) is not None:
        members["request"] = request
    return {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail, **members}


def encoded_problem(status: int, detail: str, **more: Any) -> bytes:
    """The same as bytes."""
    return msgspec.json.encode(problem(status, detail, **more))


class HttpProblem(Exception):
    """A request that HTTP itself refuses: media type, method, size, path."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def answer_of(error: Refusal | Unavailable | HttpProblem) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and extra headers of the answer to a request that was not taken."""
    document, headers = problem_of(error)
    return document["status"], msgspec.json.encode(document), headers


def problem_of(error: Refusal | Unavailable | HttpProblem) -> tuple[dict[str, Any], dict[str, str]]:
    """Problem document and extra headers of the answer to a request that was not taken."""
    match error:
        case Refusal():
            status = STATUS[error.kind]
            headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
            return problem(status, error.detail, at=error.at, errors=error.errors), headers
        case TooLarge():
            reason = f"the changes that this request makes are too large to store at once ({error.reason})"
            return problem(413, f"{reason}: send fewer or smaller events at once"), {}
        case Unavailable():
            return problem(503, error.reason), {"Retry-After": str(error.retry_after)}
        case HttpProblem():
            return problem(error.status, error.detail), error.headers
