"""The person of an event of PostHog's clients: whether its `distinct_id` is a user or a device.

Before the login, and after the logout, a page's `distinct_id` is a random id that stands for the device. From the login
on it is the user's id, and `$device_id` stays what it was. A server's `distinct_id` is a user.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from engine.tracking.foreign.items import id_in

IDENTIFY: Final = "$identify"
ALIASES: Final = frozenset({"$create_alias", "$merge_dangerously"})
COOKIELESS: Final = "$posthog_cookieless"  # the id of all pages that may not keep one


class Person(Struct, frozen=True):
    """The person of an event: the ids of `ForeignEvent`."""

    visitor: str | None = None
    user: str | None = None
    previous: str | None = None


NO_PERSON: Final = Person()


def person_of(name: str, members: Mapping[str, Any], said: Mapping[str, Any]) -> Person:
    """Return the person of an event, of its name, its members and its properties. Raises `UnusableMember`.

    Servers name `distinct_id` in the members, pages in the properties.
    """
    distinct = id_in(members, "distinct_id", "") or _id_in(said, "distinct_id")
    device = _id_in(said, "$device_id")
    if distinct == COOKIELESS or (device is None and said.get("$process_person_profile") is False):
        return NO_PERSON  # a server that says so made the id for this event alone
    if name == IDENTIFY:
        return Person(_id_in(said, "$anon_distinct_id") or device, distinct)
    anonymous = _is_anonymous(distinct, device, said)
    if name in ALIASES:
        alias = _id_in(said, "alias")
        return Person(distinct, alias) if anonymous else Person(device, alias or distinct, distinct if alias else None)
    return Person(distinct) if anonymous else Person(device, distinct)


def _id_in(said: Mapping[str, Any], name: str) -> str | None:
    return id_in(said, name, "/properties", reason=None)


def _is_anonymous(distinct: str | None, device: str | None, said: Mapping[str, Any]) -> bool:
    """Return whether `distinct` stands for a device. Earlier versions of the page's client do not say so."""
    identified = said.get("$is_identified")
    return not identified if isinstance(identified, bool) else device is not None and distinct == device
