"""The schedule of a flow: when it is due by itself, what happens with times that were missed, and for whom it runs."""

from typing import Final, Literal, get_args

from msgspec import Struct

from engine.flow.cron import Cron
from engine.language.duration import show_duration
from engine.language.rate import Rate

CatchUp = Literal["last", "none", "all"]
CATCH_UP: Final = get_args(CatchUp)
SCHEDULE_FIRED: Final = "schedule-fired"  # the event of the system with which a scheduled flow runs
DEADLINE_MS: Final = 600_000  # for one run, unless the schedule says otherwise
SHORTEST_MS: Final = 1_000  # of `every`


class Schedule(Struct, frozen=True, kw_only=True):
    """A schedule, checked: either `cron`, with the values of its fields in `fields`, or `every_ms`.

    `timezone` is an IANA name; empty: the project's. `catch_up` says what happens to due times that have passed:
    `last` fires the newest for all of them, `none` skips those over five minutes late, `all` fires each. `jitter_ms`
    delays each start, and `deadline_ms` is how long one run may take. `segment` names the segment whose members the
    flow runs for, at most at `rate`; empty: it runs once, without a profile.
    """

    cron: str = ""
    fields: Cron | None = None
    every_ms: int = 0
    timezone: str = ""
    catch_up: CatchUp = "last"
    jitter_ms: int = 0
    deadline_ms: int = DEADLINE_MS
    segment: str = ""
    rate: Rate | None = None


def spec_of(schedule: Schedule, timezone: str) -> str:
    """Return a text that is the same for two schedules only if they are due at the same times and for the same people.

    `timezone` is the project's.
    """
    if schedule.every_ms:
        when = f"every {show_duration(schedule.every_ms)}"
    else:
        when = f"{schedule.cron} in {schedule.timezone or timezone}"
    parts = [when, f"catch-up {schedule.catch_up}"]
    parts += [f"jitter {show_duration(schedule.jitter_ms)}"] if schedule.jitter_ms else []
    parts += [f"for {schedule.segment}"] if schedule.segment else []
    return ", ".join(parts)
