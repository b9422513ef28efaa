"""Errors of the JSON decoder: the place of each as a JSON pointer, and the reason in words for the sender."""

import re

from msgspec import Struct

from engine.problem import did_you_mean
from engine.tracking.intake.data_limits import TOO_DEEP, first_fault_in, pointer
from engine.tracking.intake.ids import NO_ID
from engine.tracking.intake.mending import Fault

_FIELD = re.compile("Object (missing required|contains unknown) field `(.*)`", re.DOTALL)


def fault_of_error(error: Exception, text: bytes, options: type[Struct]) -> Fault:
    """Return the place and the text of an error in decoding `text`. Only `options` refuse unknown members."""
    if isinstance(error, RecursionError):
        return "", TOO_DEEP
    if isinstance(error, UnicodeDecodeError):
        return "", f"the body is not UTF-8: {error.reason} at byte {error.start}"
    detail, _, inside = str(error).partition(" - at `$")
    if "out of range" in detail and (fault := first_fault_in(text, "")):
        return fault
    steps = inside.rstrip("`").replace("[...]", ".*").replace("]", "").replace("[", ".").split(".")
    at = "".join(f"/{pointer(step)}" for step in steps if step)
    if at.endswith("/id") and detail.startswith("Expected `int | str"):
        detail = f"{NO_ID}, not {detail.partition(' got ')[2]}"
    elif found := _FIELD.fullmatch(detail):
        at += f"/{pointer(found[2])}"
        if found[1] == "contains unknown":
            detail = f"there is no option `{found[2]}`: "
            detail += did_you_mean(found[2], options.__struct_fields__)
    return at, detail[:1].lower() + detail[1:] if not detail.startswith("JSON") else detail
