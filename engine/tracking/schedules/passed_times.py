"""Due times that have passed, and the decision which of them is fired. Pure.

A task is behind when several of its due times have passed: no process ran, it was paused, or its last firing took long.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from engine.flow.schedule import Schedule
from engine.ports.ids import short_hash

MAX_COUNTED: Final = 1_000  # due times that have passed; more are reported as so many
MAX_FIRED: Final = 100  # of those that `catch_up: all` makes up for
LATE_MS: Final = 300_000  # after which `catch_up: none` skips a due time
INDEXED_MS: Final = 10_000  # within which every search finds who was in a segment when it was due

After = Callable[[int], int]  # the first due time (ms) after a time


class Decision(Struct, frozen=True):
    """Fire the due time `due`, which stands for `missed` others; or none, with `due` None, as `missed` are skipped.

    `next` is the first due time that is not done by this.
    """

    due: int | None
    missed: int
    next: int


def start_of(schedule: Schedule, task: str, due: int) -> int:
    """Return when the firing for a due time starts (ms): delayed by the jitter, alike in every process."""
    start = due + (INDEXED_MS if schedule.segment else 0)
    if not schedule.jitter_ms:
        return start
    return start + int(short_hash("jitter", task, str(due))[:12], 16) % schedule.jitter_ms


def decide(schedule: Schedule, task: str, first: int, now: int, after: After) -> Decision | None:
    """Return what to do at `now` (ms) about a task whose oldest due time is `first`; None if it is not time yet."""
    if start_of(schedule, task, first) > now:
        return None
    count, newest = passed(first, now, after)
    started = [due for due in newest if start_of(schedule, task, due) <= now] or [first]
    if schedule.catch_up == "all":
        due = first if count <= MAX_FIRED else min(newest[-MAX_FIRED:])
        return Decision(due, max(count - MAX_FIRED, 0), after(due))
    if schedule.catch_up == "none" and now - start_of(schedule, task, started[-1]) > LATE_MS:
        return Decision(None, count, after(newest[-1]))
    due = started[-1]
    return Decision(due, missed_before(due, first, after), after(due))


def missed_before(due: int, first: int, after: After) -> int:
    """Return how many due times from `first` on come before `due`, at most `MAX_COUNTED`."""
    count, time = 0, first
    while time < due and count < MAX_COUNTED:
        count, time = count + 1, after(time)
    return count


def passed(first: int, now: int, after: After) -> tuple[int, tuple[int, ...]]:
    """Return how many due times from `first` to `now` there are, and the newest of them, ascending.

    Of more than `MAX_COUNTED` that many are counted, and at least the `MAX_FIRED` newest are returned.
    """
    times = [first]
    while len(times) <= MAX_COUNTED and (time := after(times[-1])) <= now:
        times.append(time)
    if len(times) <= MAX_COUNTED:
        return len(times), tuple(times)
    return MAX_COUNTED, _newest(first, now, after)


def _newest(first: int, now: int, after: After) -> tuple[int, ...]:
    """Return at least the `MAX_FIRED` newest due times up to `now`, looked for in longer and longer spans."""
    span = 1_000
    while True:
        start = max(first - 1, now - span)
        times = []
        time = after(start)
        while time <= now:
            times.append(time)
            time = after(time)
        if len(times) >= MAX_FIRED or start == first - 1:
            return tuple(times)
        span *= 4
