"""`/event/…` and `/user/…`: the clients of Rakam."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from api.problem import problem
from api.tracking.exchange import Reply, problem_reply
from api.tracking.foreign import LARGE_BODY, Endpoint
from api.tracking.operations import rakam as operations
from api.tracking.rakam_avro import translated_bulk
from engine.tracking.foreign.rakam import TOO_BIG, translated
from engine.tracking.foreign.rakam_api import KEY_FIELDS, KEY_HEADERS
from engine.tracking.foreign.rakam_pixel import GIF
from engine.tracking.pipeline.foreign_processing import Processed

SINGLE: Final = (
    "/event/collect",
    "/user/set_properties",
    "/user/set_properties_once",
    "/user/increment_property",
    "/user/unset_properties",
    "/user/merge",
)
TAKEN: Final = Reply(b"1")
TAKEN_IN_BULK: Final = Reply(msgspec.json.encode({"success": True}))
BAD_KEY: Final = "api_key is invalid"

_LONGEST_ERROR: Final = 500  # characters of a header


def refused(status: int, document: dict[str, Any]) -> Reply:
    """Return the problem document with the members in which Rakam's clients look for an error."""
    if status == 401:
        status, document = 403, problem(403, BAD_KEY)
    title = document["detail"]
    return problem_reply(status, {**document, "errors": [{"title": title}], "error": title})


def batch_refused(status: int, document: dict[str, Any]) -> Reply:
    """Do the same; to a batch that is too large, whatever makes it so, it says where to send it."""
    return refused(status, {**document, "detail": TOO_BIG} if status == 413 else document)


def taken(_: Processed) -> Reply:
    """Return the answer to a batch, whether some of its events were rejected or not.

    rakam-js keeps a batch that is answered by an error, and sends it before all that follow.
    """
    return TAKEN


def one_taken(processed: Processed) -> Reply:
    """Return the answer to a request of one event; 400 if it was rejected."""
    if not processed.errors:
        return TAKEN
    error = processed.errors[0]
    return refused(400, problem(400, error.reason, at=error.at))


def taken_in_bulk(_: Processed) -> Reply:
    """Return the answer to a bulk request, whether some of its events were rejected or not."""
    return TAKEN_IN_BULK


def pixel(processed: Processed) -> Reply:
    """Return the image; if the event was rejected, a header of it says why."""
    return _image(processed.errors[0].reason) if processed.errors else Reply(GIF, media_type=b"image/gif")


def pixel_refused(status: int, document: dict[str, Any]) -> Reply:
    """Return the image with the reason in a header.

    Only what was not kept, and could be later, is no success, and a method other than those.
    """
    reason = BAD_KEY if status == 401 else document["detail"]
    return _image(reason, status if status >= 500 or status == 405 else 200)


def _image(error: str, status: int = 200) -> Reply:
    printable = "".join([char if char.isprintable() else " " for char in error[:_LONGEST_ERROR]])
    shown = printable.encode("ascii", "backslashreplace")
    return Reply(GIF, status, b"image/gif", ((b"server-error", shown), (b"cache-control", b"no-store")))


def _endpoint(*addresses: str, answer: Callable[[Processed], Reply], **more: Any) -> Endpoint:
    given: dict[str, Any] = {
        "translate": translated,
        "refuse": refused,
        "headers": (b"user-agent",),
        "key_headers": KEY_HEADERS,
        "key_parameters": KEY_FIELDS,
        **more,
    }
    return Endpoint(protocol="rakam", addresses=addresses, answer=answer, **given)


ENDPOINTS: Final = (  # Rakam calls the key of a secret source `master_key`
    _endpoint(*SINGLE, answer=one_taken, operations=operations.SINGLE),
    _endpoint("/event/batch", answer=taken, refuse=batch_refused, operations=(operations.EVENT_BATCH,)),
    _endpoint("/user/batch", answer=taken, operations=(operations.USER_BATCH,)),
    _endpoint("/user/batch_operations", answer=taken, secret_only=True, operations=(operations.USERS_BATCH,)),
    _endpoint(
        "/event/bulk",
        "/event/copy",
        translate=translated_bulk,
        answer=taken_in_bulk,
        most_bytes=LARGE_BODY,
        secret_only=True,
        operations=operations.BULK,
    ),
    _endpoint("/event/bulk/commit", answer=taken_in_bulk, secret_only=True, operations=(operations.COMMIT,)),
    _endpoint("/event/pixel", answer=pixel, refuse=pixel_refused, methods=("GET", "POST"), operations=operations.PIXEL),
)
