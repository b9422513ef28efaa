"""Times in Rakam: milliseconds since 1970, or text in the forms that Rakam reads. Text without an offset is in UTC."""

import re
from typing import Any, Final

from engine.tracking.foreign.items import UnusableMember
from engine.tracking.intake.event_time import TIME_REMEDY, read_event_time

_TEXT: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d{1,9})?)?)?"
    r" ?(Z|UTC|GMT|[+-]\d\d:?\d\d|)",
    re.ASCII,
)


def time_in(members: dict[str, Any], name: str, at: str) -> Any:
    """Return a time in a form that `read_event_time` reads; None if there is none.

    `at` is the place of `members`. Raises `UnusableMember`.
    """
    value = members.get(name)
    if value is None or value == "":
        return None
    time = _iso(value.strip()) if isinstance(value, str) else value
    if read_event_time(time) is None:
        raise UnusableMember(f"{at}/{name}", TIME_REMEDY.replace("`time`", f"`{name}`"))
    return time


def is_number(value: object) -> bool:
    """Return whether a value is a number, as JSON has them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _iso(text: str) -> str:
    """Return a text in one of Rakam's forms as ISO 8601 with an offset; any other text as it is."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return text
    year, month, day, hour, minute, second, fraction, zone = found.groups("")
    date = f"{year}-{month:0>2}-{day:0>2}"
    offset = zone if zone[:1] in ("+", "-") and zone else "Z"
    return f"{date}T{hour:0>2}:{minute:0>2}:{second:0>2}{fraction}{offset}"
