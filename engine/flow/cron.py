"""Cron expressions: the five fields of a crontab, read into the values that each field takes.

Field by field, from the left: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or jan-dec), day of the
week (0-7 or sun-sat; 0 and 7 are Sunday). A field is `*`, or a list of numbers, ranges and steps. Where both days are
restricted, a time fits if one of them does, as in any crontab.
"""

import re
from typing import Final

from msgspec import Struct

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
EXAMPLE: Final = 'write five fields: minute, hour, day, month, weekday: `schedule: "0 6 * * mon-fri"`'

_NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * sun",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PLAIN_WORDS: Final = {
    "hourly": "@hourly",
    "daily": "@daily",
    "every day": "@daily",
    "nightly": "@daily",
    "weekly": "@weekly",
    "monthly": "@monthly",
    "yearly": "@yearly",
}
_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class CronError(Exception):
    """A text is no cron expression. The message says what is wrong with it, `help` what to write."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


class Cron(Struct, frozen=True):
    """The values of each field, ascending. Months count from 1, weekdays from Sunday as 0.

    `any_day` and `any_weekday` say that the field begins with `*`, so it does not widen the other one.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    any_day: bool
    any_weekday: bool


class _Field(Struct, frozen=True):
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()
    of_names: int = 0  # the value of the first name


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS, 1),
    _Field("day of the week", 0, 7, WEEKDAYS, 0),
)


def read_cron(text: str) -> Cron:
    """Return the values of a cron expression. Raises `CronError`."""
    fields = text.lower().split()
    if text.strip().lower() in _NICKNAMES | _PLAIN_WORDS or text.startswith("@"):
        name = text.strip().lower()
        name = _PLAIN_WORDS.get(name, name)
        help = f'write `schedule: "{_NICKNAMES[name]}"`' if name in _NICKNAMES else EXAMPLE
        raise CronError(f"`{text}` is no cron expression of five fields", help)
    if len(fields) in (6, 7):
        rest = " ".join(fields[1:6]).replace("?", "*")
        help = f'leave out the first field, the seconds, and a year: `schedule: "{rest}"`; or `every: 30s`'
        raise CronError(f"a cron expression has five fields, this one has {len(fields)}", help)
    if len(fields) != 5:
        raise CronError(f"a cron expression has five fields, this one has {len(fields)}", EXAMPLE)
    minutes, hours, days, months, weekdays = [
        _values(field, written) for field, written in zip(_FIELDS, fields, strict=True)
    ]
    weekdays = tuple(sorted({day % 7 for day in weekdays}))
    cron = Cron(minutes, hours, days, months, weekdays, fields[2].startswith("*"), fields[4].startswith("*"))
    if cron.any_weekday and min(days) > max(_DAYS[month - 1] for month in months):
        raise CronError(f"`{text}` never comes: these months have no day {min(days)}", "correct the day or the month")
    return cron


def _values(field: _Field, written: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in written.split(","):
        found.update(_part(field, part))
    return tuple(sorted(found))


def _part(field: _Field, part: str) -> range:
    """Return the values of one item of a field's list. Raises `CronError`."""
    match = _PART.fullmatch(part)
    if match is None:
        raise CronError(f"`{part}` is no {field.name} of a cron expression", _help(field, part))
    star, low, high, step = match.groups()
    first = field.first if star else _number(field, low)
    last = field.last if star or (step and not high) else first if high is None else _number(field, high)
    if star and field.last == 7:
        last = 6
    if field.names and high in field.names and last < first and field.first == 0:
        last += 7 if last == 0 else 0  # fri-sun: Sunday is 7 as well
    if last < first:
        wrapped = f"{low}-{field.last},{field.first}-{high}" if not field.names or low.isdigit() else f"{low},…,{high}"
        raise CronError(f"`{part}` ends before it begins", f"write the values as a list: `{wrapped}`")
    if step is not None and int(step) == 0:
        raise CronError(f"`{part}` has a step of 0", "a step is 1 or more, such as `*/15`")
    return range(first, last + 1, int(step or 1))


def _number(field: _Field, word: str) -> int:
    if word in field.names:
        return field.of_names + field.names.index(word)
    if not word.isdigit():
        raise CronError(f"`{word}` is no {field.name} of a cron expression", _help(field, word))
    if not field.first <= int(word) <= field.last:
        raise CronError(f"`{word}` is no {field.name}", f"it is a number from {field.first} to {field.last}")
    return int(word)


def _help(field: _Field, word: str) -> str:
    short = word[:3]
    if short in field.names:
        return f"write `{short}`"
    if word == "?":
        return "write `*`"
    if field.names:
        names = f"{field.names[0]}-{field.names[-1]}"
        return f"it is a number from {field.first} to {field.last}, or one of {names}; or `*`"
    return f"it is a number from {field.first} to {field.last}, a range such as `{field.first}-{field.last}`, or `*`"
