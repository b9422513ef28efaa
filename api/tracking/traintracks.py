"""`POST /v1/events` and `POST /v1`: the clients of Traintracks, which sign what they send."""

from typing import Final

import msgspec

from api.tracking.exchange import Reply
from api.tracking.foreign import Endpoint
from api.tracking.operations.traintracks import EVENTS
from engine.project.source import Source
from engine.tracking.foreign.traintracks import translated, verified
from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.pipeline.foreign_processing import Processed

AUTH: Final = b"x-product-auth"


def answered(processed: Processed) -> Reply:
    """Return how many events have been taken, and why others have not.

    Clients keep what is answered by an error, and send nothing else any more: so this is success, even for none.
    """
    body = {"status": "ok", "accepted": processed.accepted, "errors": processed.errors}
    return Reply(msgspec.json.encode(body))


def signed(request: ForeignRequest, source: Source) -> bool:
    """Return whether a request carries the signature that the secret of its source's product makes."""
    secret = source.product_secret
    return bool(secret) and verified(request.body, request.headers.get(AUTH, b"").strip(), secret or "")


ENDPOINTS: Final = (
    Endpoint(
        protocol="traintracks",
        addresses=("/v1/events", "/v1"),
        translate=translated,
        answer=answered,
        headers=(AUTH, b"remote-address"),
        key_headers=(b"x-product-key",),
        verify=signed,
        operations=EVENTS,
    ),
)
