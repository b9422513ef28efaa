"""The client's time of an event, read from the forms in which clients send it.

A client sends ISO 8601 text, or a number of seconds or milliseconds since 1970, also as text. A number is one of
seconds if it is nearer to zero than 100,000,000,000: as milliseconds it would be a time before March 1973.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final

from engine.language.written_time import FIRST, LAST
from engine.language.zone import moment_of

TIME_REMEDY: Final = (
    "a time is ISO 8601 text such as `2024-05-01T12:00:00Z`, or a number of seconds or milliseconds since 1970: "
    "send one of these, or leave `time` out"
)
LONGEST: Final = 64  # characters
SECONDS: Final = 10**11  # from here on, and down from its negative, a number is one of milliseconds

_NUMBER: Final = re.compile(r"-?\d{9,16}(\.\d{1,9})?", re.ASCII)  # shorter ones are dates, such as 20240501


def read_event_time(value: object, zone: tzinfo = UTC) -> int | None:
    """Return a client's time in ms since 1970, or None if `value` is none. Text without an offset is in `zone`."""
    if isinstance(value, str):
        text = value.strip()
        if len(text) > LONGEST:
            return None
        if not _NUMBER.fullmatch(text):
            return _within(_iso_moment(text, zone))
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _within(round(value * 1000) if abs(value) < SECONDS else int(value))


def _iso_moment(text: str, zone: tzinfo) -> int | None:
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment_of(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _within(moment: int | None) -> int | None:
    """Return a moment if it is in the years 1 to 9999."""
    return moment if moment is not None and FIRST <= moment <= LAST else None
