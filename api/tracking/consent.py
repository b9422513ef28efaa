"""`POST /consent`: a visitor grants or withdraws consents. It becomes one event `consent-changed` of `/track`."""

from typing import Any

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder, Encoder

from api.access.option import access
from api.description.operation import operations
from api.tracking.body import check_media_type, read_body
from api.tracking.endpoint import handle
from api.tracking.operations.own import CONSENT
from engine.tracking.intake.body import decoded
from engine.tracking.intake.consent import CONSENT_CHANGED
from engine.tracking.intake.payload import Intake, Refusal, read_track
from engine.tracking.pipeline.tracker import PayloadTracker

_EVENT = "/events/0"


class ConsentPayload(Struct, frozen=True, omit_defaults=True):
    """The body of `/consent`, each part as it came. `id` and `time` are those of the event that it becomes."""

    consents: Raw
    id: Raw | UnsetType = UNSET
    time: Raw | UnsetType = UNSET
    source: Raw | UnsetType = UNSET
    session: Raw | UnsetType = UNSET
    profile: Raw | UnsetType = UNSET
    visitor: Raw | UnsetType = UNSET
    user: Raw | UnsetType = UNSET
    context: Raw | UnsetType = UNSET
    properties: Raw | UnsetType = UNSET
    options: Raw | UnsetType = UNSET
    userToken: Raw | UnsetType = UNSET  # noqa: N815  # the wire's word


_decoder = Decoder(ConsentPayload)
_encode = Encoder().encode


def consent_handler(tracker: PayloadTracker) -> ASGIRouteHandler:
    """Return the handler of `/consent`."""

    @asgi("/consent", copy_scope=True, opt=access("public") | operations(CONSENT))
    async def consent(scope: Scope, receive: Receive, send: Send) -> None:
        async def read(headers: dict[bytes, bytes]) -> Intake:
            check_media_type(headers)
            return read_consent(await read_body(receive, headers))

        await handle(tracker, scope, send, ("POST",), read)

    return consent


def read_consent(body: bytes) -> Intake:
    """Return the intake of a body of `/consent`. Raises `Refusal`, which points into that body."""
    payload = decoded(_decoder, body)
    given: dict[str, Any] = {name: getattr(payload, name) for name in ConsentPayload.__struct_fields__}
    given = {name: part for name, part in given.items() if part is not UNSET}
    changed: dict[str, Any] = {name: given.pop(name) for name in ("id", "time") if name in given}
    changed |= {"type": CONSENT_CHANGED, "properties": {"consents": given.pop("consents")}}
    intake = read_track(_encode({**given, "events": [changed]}))
    if intake.rejected:
        (event,) = intake.rejected
        raise Refusal("malformed", event.reason, event.at.removeprefix(_EVENT).removeprefix("/properties"))
    return intake
