"""Rakam's pixel: one event in the fields of a query, for pages and mails that can only load an image."""

from typing import Any, Final

import msgspec

from engine.tracking.foreign.items import Item, UnusableMember
from engine.tracking.foreign.rakam_api import Api, api_of
from engine.tracking.foreign.rakam_event import sent_event
from engine.tracking.foreign.rakam_names import named_properties, type_of
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.intake.payload import Refusal

GIF: Final = bytes.fromhex(  # one transparent pixel
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)

_WORDS: Final = {"true": True, "false": False}


def pixel_event(request: ForeignRequest) -> tuple[ForeignEvent, Api]:
    """Return the event of a query and its sender. Raises `Refusal`."""
    fields = {name: values[0] for name, values in request.query.items() if values}
    api = api_of(_below("api.", fields), request)
    properties: dict[str, Any] = _below("prop.", fields)
    for name in ("_ip", "_user_agent"):
        if name in properties:
            properties[name] = _WORDS.get(properties[name].lower(), properties[name])
    if (time := properties.get("_time", "")).isdecimal() and len(time) < 20:
        properties["_time"] = int(time)
    collection = fields.get("collection")
    raw = msgspec.json.encode({"collection": collection, "properties": properties})
    try:
        named = named_properties(properties, "/properties")
        return sent_event(Item("", raw, {}), type_of(collection), named, api), api
    except UnusableMember as wrong:
        raise Refusal("malformed", wrong.reason, wrong.at) from None


def _below(prefix: str, fields: dict[str, str]) -> dict[str, Any]:
    """Return the fields whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}
