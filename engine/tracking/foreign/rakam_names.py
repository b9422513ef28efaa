"""Names in Rakam: of collections, which become types of events, and of properties, which become names of columns."""

import re
import unicodedata
from typing import Any, Final

from engine.tracking.foreign.items import UnusableMember
from engine.tracking.intake.data_limits import pointer

LONGEST_COLLECTION: Final = 100  # characters
EMPTY_COLLECTION: Final = "(empty string)"

_PLAIN: Final = re.compile(r"[!#-@\[-~]+")  # ASCII without spaces, double quotes and capital letters
_CAPITAL: Final = re.compile(r"([a-z])(?=[A-Z])")


def type_of(collection: object, at: str = "/collection") -> str:
    """Return the type of a collection's events: its name in lower case. Raises `UnusableMember`."""
    if not isinstance(collection, str):
        raise UnusableMember(at, "collection parameter must be a string")
    if len(collection) > LONGEST_COLLECTION:
        raise UnusableMember(at, f"Collection name must have maximum {LONGEST_COLLECTION} characters.")
    return collection.lower() or EMPTY_COLLECTION


def property_name(name: str) -> str:
    """Return the name under which a property is kept: in snake case, of ASCII. Raises `ValueError`."""
    if _PLAIN.fullmatch(name):
        return name
    parts = unicodedata.normalize("NFD", name.replace('"', "").strip(" "))
    plain = "".join(char for char in parts if not unicodedata.combining(char))
    if not plain:
        raise ValueError("the name of a property is empty")
    if not plain.isascii():
        raise ValueError(f"the name `{name[:100]}` of a property must be of ASCII letters: rename the property")
    return _CAPITAL.sub(r"\1_", plain).lower()


def named_properties(properties: object, at: str) -> dict[str, Any]:
    """Return properties under the names by which they are kept, without those that are null.

    `at` is their place in the item. Raises `UnusableMember`.
    """
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        raise UnusableMember(at, "properties must be an object")
    found: dict[str, Any] = {}
    for name, value in properties.items():
        if value is not None:
            found[checked_name(name, f"{at}/{pointer(name)}")] = value
    return found


def checked_name(name: object, at: str) -> str:
    """Return `property_name`. Raises `UnusableMember`."""
    if not isinstance(name, str):
        raise UnusableMember(at, "must be the name of a property, as text")
    try:
        return property_name(name)
    except ValueError as error:
        raise UnusableMember(at, str(error)) from None
