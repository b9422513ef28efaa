"""Rakam: its addresses below `/event` and `/user`, each translated into events.

What is wrong with a request of one event or one operation refuses the request. In a list it rejects the item: a client
repeats a list that was refused, and with it the items that follow.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import structs

from engine.tracking.foreign import rakam_bulk, rakam_user
from engine.tracking.foreign.items import MAX_EVENTS, Item, UnusableMember, item_of, items_of, members_of, whole_item
from engine.tracking.foreign.rakam_api import Api, check_checksum, read_api
from engine.tracking.foreign.rakam_event import event_of, unrecognized
from engine.tracking.foreign.rakam_pixel import pixel_event
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Translation
from engine.tracking.intake.payload import Refusal, RejectedEvent

MAX_BATCH: Final = 500_000  # bytes of `/event/batch`, decompressed
TOO_BIG: Final = "The body is too big, use /bulk endpoint."

_ENVELOPE: Final = ("api", "events")
_SINGLE: Final = {  # the operation of an address that takes one
    "/user/set_properties": "set_properties",
    "/user/set_properties_once": "set_properties_once",
    "/user/increment_property": "increment_properties",
    "/user/unset_properties": "unset_properties",
}

T = TypeVar("T")


def translated(request: ForeignRequest) -> Translation:
    """Return the events of a request to one of `ADDRESSES`. Raises `Refusal`."""
    return ADDRESSES[request.path.rstrip("/")](request)


def _collect(request: ForeignRequest) -> Translation:
    return _of_one(request, lambda item, api: (event_of(item, api),))


def _single_operation(request: ForeignRequest) -> Translation:
    name = _SINGLE[request.path.rstrip("/")]
    return _of_one(request, lambda item, api: (rakam_user.single_operation(name, item, api),))


def _merge(request: ForeignRequest) -> Translation:
    return _of_one(request, rakam_user.merge)


def _batch(request: ForeignRequest) -> Translation:
    if len(request.body) > MAX_BATCH:
        raise Refusal("too-large", TOO_BIG)
    return _of_list(request, MAX_EVENTS)


def _bulk(request: ForeignRequest) -> Translation:
    kind = request.headers.get(b"content-type", b"").decode("latin-1")
    media = kind.partition(";")[0].strip().lower()
    if media in ("", "application/json"):
        return _of_list(request, rakam_bulk.MAX_EVENTS)
    if media in rakam_bulk.LINES:
        return Translation(events=rakam_bulk.lines_of_json(request, read_api(b"{}", request)))
    if media == "text/csv":
        return Translation(events=rakam_bulk.rows_of_csv(request, read_api(b"{}", request)))
    taken = ", ".join(["application/json", *sorted(rakam_bulk.LINES), "text/csv", rakam_bulk.AVRO])
    raise Refusal("malformed", f"Unsupported content type: {kind[:100]}. Send one of {taken}")


def _commit(request: ForeignRequest) -> Translation:
    """Return no events: those of `/event/bulk` have been taken for good, whatever `commit` said."""
    return Translation(events=())


def _pixel(request: ForeignRequest) -> Translation:
    event, api = pixel_event(request)
    return Translation(events=(event,), keys=api.keys)


def _user_batch(request: ForeignRequest) -> Translation:
    members = _parsed(request.body)
    api = read_api(members.get("api"), request)
    user = _or_refused(lambda: rakam_user.user_in(item_of(b'{"id":%s}' % members.get("id", b"null"), "")))
    return _operations(members, user, api)


def _user_operations(request: ForeignRequest) -> Translation:
    members = _parsed(request.body)
    return _operations(members, None, read_api(members.get("api"), request))


ADDRESSES: Final[dict[str, Callable[[ForeignRequest], Translation]]] = {
    "/event/collect": _collect,
    "/event/batch": _batch,
    "/event/bulk": _bulk,
    "/event/bulk/commit": _commit,
    "/event/copy": _bulk,
    "/event/pixel": _pixel,
    **dict.fromkeys(_SINGLE, _single_operation),
    "/user/batch": _user_batch,
    "/user/batch_operations": _user_operations,
    "/user/merge": _merge,
}


def _of_one(request: ForeignRequest, make: Callable[[Item, Api], tuple[ForeignEvent, ...]]) -> Translation:
    """Return the events that `make` makes of the whole body. Raises `Refusal`."""
    api = read_api(_parsed(request.body).get("api"), request)
    try:
        item = whole_item(request.body)
    except Refusal as refusal:
        raise _not_parsed(refusal) from None
    return Translation(events=_or_refused(lambda: make(item, api)), keys=api.keys)


def _of_list(request: ForeignRequest, most: int) -> Translation:
    """Return the events of a body `{"api": …, "events": […]}`. Raises `Refusal`."""
    members = _parsed(request.body)
    api = read_api(members.get("api"), request)
    for name in members:
        if name not in _ENVELOPE:
            raise Refusal("malformed", unrecognized(name, _ENVELOPE))
    text = _list_in(members, "events")
    check_checksum(api, text)
    return Translation(events=items_of(text, most, "/events", lambda item: event_of(item, api)), keys=api.keys)


def _operations(members: dict[str, bytes], user: str | None, api: Api) -> Translation:
    """Return the events of the operations in `data`, of `user` or of the one whom each item names. Raises `Refusal`."""
    text = _list_in(members, "data")
    found = items_of(text, MAX_EVENTS, "/data", lambda item: rakam_user.operations_of(item, user, api))
    events: list[ForeignEvent | RejectedEvent] = []
    for each in found:
        events += (structs.replace(each, index=len(events)),) if isinstance(each, RejectedEvent) else each
    return Translation(events=tuple(events), keys=api.keys)


def _list_in(members: dict[str, bytes], name: str) -> bytes:
    if name not in members:
        raise Refusal("malformed", f"{name} parameter is required", f"/{name}")
    return members[name]


def _parsed(body: bytes) -> dict[str, bytes]:
    try:
        return members_of(body)
    except Refusal as refusal:
        raise _not_parsed(refusal) from None


def _not_parsed(refusal: Refusal) -> Refusal:
    return Refusal(refusal.kind, f"JSON couldn't parsed: {refusal.detail}", refusal.at)  # Rakam's words


def _or_refused(make: Callable[[], T]) -> T:
    """Return what `make` returns. Raises `Refusal` where it raises `UnusableMember`."""
    try:
        return make()
    except UnusableMember as wrong:
        raise Refusal("malformed", wrong.reason, wrong.at) from None
