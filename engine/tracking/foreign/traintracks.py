"""Traintracks: a JSON array of events, signed by the MD5 of the body and the product's secret.

Its clients send neither an id of an event nor one of the device, so the id of the session also is the visitor's.
"""

import hashlib
import hmac
from ipaddress import ip_address
from typing import Any, Final

from engine.tracking.foreign.items import Item, UnusableMember, id_in, items_of
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest, Translation
from engine.tracking.intake.event_time import TIME_REMEDY, read_event_time

MAX_EVENTS: Final = 500  # of a request
PLACEHOLDER_ADDRESS: Final = "1.2.3.4"  # which clients send when they do not know the address of theirs
ABSENT: Final = (None, "", "undefined")  # what JavaScript's client sends for a time that it has not

_CONTEXT: Final = {"device": "device", "build": "build", "userName": "user_name", "location": "location"}


def translated(request: ForeignRequest) -> Translation:
    """Return the events of a request. Raises `Refusal` if its body is no array, or one of more than `MAX_EVENTS`."""
    address = _client_address(request.headers.get(b"remote-address", b""))
    common = {} if address is None else {"ip": address}
    return Translation(events=items_of(request.body, MAX_EVENTS, "", lambda item: _event(item, common)))


def verified(body: bytes, auth: bytes, secret: str) -> bool:
    """Return whether `auth` is the signature of a body: the MD5, in lower-case hex, of the body and the secret."""
    signature = hashlib.md5(body + secret.encode(), usedforsecurity=False).hexdigest()  # the clients' algorithm
    return hmac.compare_digest(signature.encode(), auth)


def _event(item: Item, common: dict[str, Any]) -> ForeignEvent:
    """Return the event that an item describes. Raises `UnusableMember`."""
    members = item.members
    session = id_in(members, "sessionId", "")
    resent = _time_in(members, "serverTimestamp")
    written = _time_in(members, "clientTimestamp")
    context = common | {ours: value for name, ours in _CONTEXT.items() if (value := members.get(name)) is not None}
    if resent is not None and written is not None:
        context["client_time"] = written
    return ForeignEvent(
        at=item.at,
        raw=item.raw,
        type=_type_in(members),
        properties=_properties_in(members),
        context=context,
        time=written if resent is None else resent,
        visitor=session,
        user=id_in(members, "userId", ""),
        session=session,
    )


def _type_in(members: dict[str, Any]) -> str:
    type = members.get("eventType")
    if not isinstance(type, str) or not type:
        raise UnusableMember("/eventType", "`eventType` must be the event's type, as text")
    return type


def _properties_in(members: dict[str, Any]) -> dict[str, Any]:
    """Return `data`; an array, which Traintracks' documentation speaks of, becomes the property `data`."""
    data = members.get("data")
    if data is None:
        return {}
    if isinstance(data, list):
        return {"data": data}
    if not isinstance(data, dict):
        raise UnusableMember("/data", "`data` must be an object: its members are the event's properties")
    return data


def _time_in(members: dict[str, Any], name: str) -> Any:
    """Return a time with hyphens for the dashes that word processors make of them; None if there is none."""
    time = members.get(name)
    if time in ABSENT:
        return None
    if isinstance(time, str):
        time = time.replace("\u2013", "-")
    if read_event_time(time) is None:
        raise UnusableMember(f"/{name}", TIME_REMEDY.replace("`time`", f"`{name}`"))
    return time


def _client_address(header: bytes) -> str | None:
    """Return the address that `Remote-Address` names, if it is one that a client on the Internet may have."""
    try:
        address = ip_address(header.decode("latin-1").strip())
    except ValueError:
        return None
    text = str(address)
    return text if address.is_global and text != PLACEHOLDER_ADDRESS else None
