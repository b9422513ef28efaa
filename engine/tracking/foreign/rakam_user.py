"""Rakam's operations on the properties of users: each becomes an event of the user, which flows carry out."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import structs

from engine.tracking.foreign.items import Item, UnusableMember, id_in
from engine.tracking.foreign.rakam_api import Api
from engine.tracking.foreign.rakam_names import checked_name, named_properties
from engine.tracking.foreign.rakam_time import is_number, time_in
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.ids import MAX_ID

Operation = Callable[[object, str], dict[str, Any]]


def set_properties(value: object, at: str) -> dict[str, Any]:
    """Return the properties to set. Raises `UnusableMember`."""
    return named_properties(value, at)


def increments(value: object, at: str) -> dict[str, Any]:
    """Return the amounts to add, by property. Raises `UnusableMember`."""
    amounts = named_properties(value, at)
    for name, amount in amounts.items():
        if not is_number(amount):
            raise UnusableMember(at, f"the amount of `{name[:100]}` must be a number")
    return amounts


def unset_names(value: object, at: str) -> dict[str, Any]:
    """Return the names of the properties to remove, as the property `names`. Raises `UnusableMember`."""
    names = value if isinstance(value, list) else [value]
    return {"names": [checked_name(name, at) for name in names]}


OPERATIONS: Final[dict[str, tuple[str, Operation]]] = {  # by the member that names one: the type of its event
    "set_properties": ("user-set", set_properties),
    "set_properties_once": ("user-set-once", set_properties),
    "increment_properties": ("user-increment", increments),
    "unset_properties": ("user-unset", unset_names),
}


def single_operation(name: str, item: Item, api: Api) -> ForeignEvent:
    """Return the event of a request that is one operation, `name` of `OPERATIONS`. Raises `UnusableMember`."""
    type, operation = OPERATIONS[name]
    members = item.members
    if name == "increment_properties":
        if not isinstance(members.get("property"), str):
            raise UnusableMember("/property", "`property` must be the name of the property, as text")
        if not is_number(members.get("value")):
            raise UnusableMember("/value", "`value` must be the amount to add, a number")
        properties = operation({members["property"]: members["value"]}, "/property")
    else:
        properties = operation(members.get("properties"), "/properties")
    return _event(item, type, properties, user_in(item), api)


def operations_of(item: Item, user: str | None, api: Api) -> tuple[ForeignEvent, ...]:
    """Return the events of an item that holds several operations, in the order of `OPERATIONS`.

    `user` is the one of all items, where the request names it. Raises `UnusableMember`.
    """
    members = item.members
    if user is None:
        user = user_in(item)
    else:
        item = structs.replace(item, raw=b'{"id":%s,"data":[%s]}' % (msgspec.json.encode(user), item.raw))
    return tuple(
        _event(item, type, operation(members[name], f"/{name}"), user, api)
        for name, (type, operation) in OPERATIONS.items()
        if members.get(name) is not None
    )


def merge(item: Item, api: Api) -> tuple[ForeignEvent, ...]:
    """Return the event by which a visitor becomes a user; none if the client names no visitor. Raises `UnusableMember`.

    The device's next event would join the two as well: its events name both.
    """
    visitor = id_in(item.members, "anonymous_id", "")
    if visitor is None:
        return ()
    event = _event(item, "user-merge", {}, user_in(item), api)
    return (structs.replace(event, visitor=visitor),)


def user_in(item: Item) -> str:
    """Return the user whom `id` names. Raises `UnusableMember`."""
    user = id_in(item.members, "id", "")
    if user is None:
        raise UnusableMember("/id", "`id` must be the user's id")
    if len(user) > MAX_ID:  # all operations of a request have it in their texts
        raise UnusableMember("/id", f"a user id has at most {MAX_ID} characters")
    return user


def _event(item: Item, type: str, properties: dict[str, Any], user: str, api: Api) -> ForeignEvent:
    time = time_in(item.members, "time", "")
    return ForeignEvent(
        at=item.at,
        raw=item.raw,
        type=type,
        properties=properties,
        context={} if api.library is None else {"library": api.library},
        time=time,
        sent=None if time is None else api.upload_time,
        skewed=is_number(time) and api.upload_time is not None,
        user=user,
    )
