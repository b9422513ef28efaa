"""Tasks: the stored state of a flow with a schedule, or of a script. Its document commits what its firings do."""

from typing import Any

from msgspec import Struct, field


class TaskClaim(Struct, frozen=True, omit_defaults=True):
    """A claim on a task: a process fires it for its time `due` (ms). `by` is drawn at each start of a process."""

    by: str
    due: int
    beat: int = 0  # raised by each renewal


class FiringRecord(Struct, frozen=True, omit_defaults=True):
    """The result of a firing, for the task's log. Times are in ms; `missed` counts firings that it stands for.

    Of a script, `events` and `rejected` count what it stored, and `lines` are the last ones that it logged.
    """

    due: int
    began: int
    ended: int
    outcome: str
    reason: str = ""
    missed: int = 0
    run: str = ""
    events: int = 0
    rejected: int = 0
    lines: tuple[str, ...] = ()


class Task(Struct, frozen=True, omit_defaults=True):
    """A flow with a schedule, or a script, of the name `id`. `spec` is its schedule as it was when `next` was computed.

    `next` (ms) is the next due time, nominal; None while it is paused or gone. `state` is what its runs keep from one
    firing to the next. `place` is how far a firing for a segment has come.
    """

    id: str
    spec: str
    at: int  # ms: when it was first seen
    version: int = 1
    next: int | None = None
    last: int | None = None  # ms: the newest due time that was fired
    firing: TaskClaim | None = None
    paused: bool = False
    state: dict[str, Any] = field(default_factory=dict)
    place: str | None = None
    log: tuple[FiringRecord, ...] = ()  # the last 20, newest first
