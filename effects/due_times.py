"""When schedules are due, by APScheduler's cron triggers.

APScheduler differs from a crontab in three ways, which are corrected here: it counts weekdays from Monday, it wants
both the day of the month and the day of the week to fit, and where the zone's offset changes it may skip a time or
take it twice. So a trigger is asked in plain local time, without a zone, and its answer is brought to
the zone by one rule.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger

from engine.flow.cron import WEEKDAYS, Cron
from engine.flow.schedule import Schedule
from engine.language.zone import find_zone, first_moment, local_time

_MILLISECOND = timedelta(milliseconds=1)


class SystemDueTimes:
    """The calendar of this machine: the zones of its database."""

    def after(self, schedule: Schedule, time: int, timezone: str) -> int:
        """Return the first due time (ms) after `time` (ms). See `DueTimes`."""
        if schedule.every_ms:
            return (time // schedule.every_ms + 1) * schedule.every_ms
        assert schedule.fields is not None  # noqa: S101  # the schedule was checked
        zone: tzinfo = find_zone(schedule.timezone or timezone) or UTC
        local = local_time(time, zone).replace(tzinfo=UTC)  # plain local time, written as UTC
        while True:
            local = _next_local(schedule.fields, local)
            due = first_moment(local.replace(tzinfo=None), zone)
            if due > time:  # else it is the second one of two equal local times
                return due


def _next_local(cron: Cron, local: datetime) -> datetime:
    """Return the first local time after `local` that a cron expression takes."""
    later = local + _MILLISECOND
    found: list[datetime] = [trigger.get_next_fire_time(None, later) for trigger in _triggers(cron)]
    return min(found)


@lru_cache(maxsize=1024)
def _triggers(cron: Cron) -> tuple[CronTrigger, ...]:
    """Return the triggers of which one must fit: where both days are restricted, one for each."""
    times = {"minute": _list(cron.minutes, 60), "hour": _list(cron.hours, 24), "month": _list(cron.months, 12)}
    day = None if len(cron.days) == 31 else _list(cron.days, 31)
    weekday = None if len(cron.weekdays) == 7 else ",".join(WEEKDAYS[number] for number in cron.weekdays)
    if day and weekday and not cron.any_day and not cron.any_weekday:
        return (
            CronTrigger(**times, day=day, timezone=UTC),
            CronTrigger(**times, day_of_week=weekday, timezone=UTC),
        )
    return (CronTrigger(**times, day=day, day_of_week=weekday, timezone=UTC),)


def _list(values: tuple[int, ...], all: int) -> str:
    return "*" if len(values) == all else ",".join(map(str, values))
