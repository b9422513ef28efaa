"""The one form in which the times that clients tell are stored: `2024-05-01T12:00:00.000Z`, in the years 1 to 9999.

Such texts have the order of the moments that they name, so stores compare them as they are.
"""

import re
from datetime import UTC, datetime
from typing import Final

from engine.language.zone import local_time, moment_of

FIRST: Final = moment_of(datetime.min.replace(tzinfo=UTC))  # ms, the first moment that can be written
LAST: Final = moment_of(datetime.max.replace(tzinfo=UTC))

_FORM: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def written_time(moment: int) -> str:
    """Return the stored form of a time (ms since 1970). Raises `OverflowError` outside the years 1 to 9999."""
    return local_time(moment, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def read_written_time(value: object) -> int | None:
    """Return the time (ms since 1970) of a text in the stored form; None for anything else."""
    if not isinstance(value, str) or not _FORM.fullmatch(value):
        return None
    try:
        return moment_of(datetime.fromisoformat(value))
    except ValueError:  # no such day
        return None
