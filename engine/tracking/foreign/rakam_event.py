"""An event of Rakam: a collection and properties, of which those with an underscore say who, when and where."""

from typing import Any, Final

from engine.tracking.foreign.items import Item, UnusableMember, id_in
from engine.tracking.foreign.rakam_api import Api
from engine.tracking.foreign.rakam_names import named_properties, type_of
from engine.tracking.foreign.rakam_time import is_number, time_in
from engine.tracking.foreign.translation import ForeignEvent

FIELDS: Final = ("api", "collection", "properties")

_AT: Final = "/properties"
_BAD_USER: Final = "_user field must be numeric or string."
_IDS: Final = ("_user", "_device_id", "_session_id", "_id", "_time")
_FILLED_IN: Final = ("_ip", "_user_agent")


def event_of(item: Item, api: Api) -> ForeignEvent:
    """Return the event of an item: `{"collection": …, "properties": …}`. Raises `UnusableMember`."""
    members = item.members
    check_fields(members)
    return sent_event(item, type_of(members.get("collection")), named_properties(members.get("properties"), _AT), api)


def check_fields(members: dict[str, Any]) -> None:
    """Raise `UnusableMember` for a field that Rakam does not know. A whole number `event_id` is tolerated."""
    for name, value in members.items():
        if name in FIELDS or (name == "event_id" and isinstance(value, int)):
            continue
        raise UnusableMember("", unrecognized(name, FIELDS))


def unrecognized(name: str, fields: tuple[str, ...]) -> str:
    """Return the reason for which a field cannot be used that is none of `fields`."""
    return f"Unrecognized field '{name[:100]}'. Should be one of ({', '.join(fields)})"


def sent_event(item: Item, type: str, properties: dict[str, Any], api: Api) -> ForeignEvent:
    """Return the event of these properties, which have the names by which they are kept. Raises `UnusableMember`."""
    time = time_in(properties, "_time", _AT)
    return ForeignEvent(
        at=item.at,
        raw=item.raw,
        type=type,
        properties={name: value for name, value in properties.items() if not _is_consumed(name, value)},
        context=_context(properties, api),
        id=id_in(properties, "_id", _AT),
        time=time,
        sent=None if time is None else api.upload_time,
        skewed=is_number(time) and api.upload_time is not None,
        visitor=id_in(properties, "_device_id", _AT),
        user=id_in(properties, "_user", _AT, _BAD_USER),
        session=id_in(properties, "_session_id", _AT),
    )


def _is_consumed(name: str, value: object) -> bool:
    """Return whether a property becomes another part of the event."""
    return name in _IDS or (name in _FILLED_IN and value is True)


def _context(properties: dict[str, Any], api: Api) -> dict[str, Any]:
    """Return the context of an event: the library, and what its properties ask the server to fill in."""
    context: dict[str, Any] = {} if api.library is None else {"library": api.library}
    if properties.get("_ip") is True and api.address:
        context["ip"] = api.address
    if properties.get("_user_agent") is True and api.user_agent:
        context["user_agent"] = api.user_agent
    return context
