"""The changes of a task's document, as new versions of it. Pure; the caller writes them by compare-and-set.

A task is *idle* (no `firing`), *claimed* (`firing.by` is a process) or *left* (`firing.by` is empty: a firing was begun
and not ended, and any process may go on with it, for the same due time). Beside that it may be *paused*: then `next` is
None and nothing is begun.

    idle    -> claimed    `claimed`     a process begins to fire
    claimed -> claimed    `renewed`     every 5 s; another process takes a claim that has not changed for 15 s
    claimed -> idle       `ended`       committed together with all that the firing did
    claimed -> left       `left`        the process stops, or the task was paused in the middle
    left    -> claimed    `claimed`     with the due time of before
    idle    -> idle       `skipped`     due times that are too late are not fired
"""

from typing import Any, Final

from msgspec import structs

from engine.ports.task import FiringRecord, Task, TaskClaim

MAX_LOG: Final = 20  # firings in a task's log
WITH_LINES: Final = 5  # of them that keep the lines that a script has logged: the newest


def new_task(id: str, spec: str, now: int, next: int) -> Task:
    """Return the task of a flow that is seen for the first time: it begins with the first due time after now."""
    return Task(id=id, spec=spec, at=now, next=next)


def rescheduled(task: Task, spec: str, now: int, next: int) -> Task:
    """Return a task with another schedule, whose first due time is `next`; what is owed already stays owed."""
    owed = task.next is not None and task.next <= now
    due = None if task.paused else task.next if owed else next
    return structs.replace(task, version=task.version + 1, spec=spec, next=due)


def gone(task: Task) -> Task:
    """Return the task of a flow that is no longer there: it is not due, and keeps its state."""
    return structs.replace(task, version=task.version + 1, next=None)


def claimed(task: Task, by: str, due: int) -> Task:
    """Return a task that a process fires for `due`; one that is fired before its time is due from now on."""
    beat = task.firing.beat + 1 if task.firing is not None else 0
    next = None if task.next is None else min(task.next, due)
    return structs.replace(task, version=task.version + 1, next=next, firing=TaskClaim(by, due, beat))


def renewed(task: Task) -> Task:
    """Return a claimed task whose claim is renewed."""
    assert task.firing is not None  # noqa: S101  # the caller holds the claim
    return claimed(task, task.firing.by, task.firing.due)


def left(task: Task) -> Task:
    """Return a claimed task whose firing any process may go on with."""
    assert task.firing is not None  # noqa: S101  # the caller holds the claim
    return claimed(task, "", task.firing.due)


def at_place(task: Task, place: str) -> Task:
    """Return a claimed task whose firing has come to `place`."""
    return structs.replace(renewed(task), place=place)


def ended(task: Task, record: FiringRecord, state: dict[str, Any], next: int) -> Task:
    """Return a task whose firing has ended; `next` is the first due time after that of the firing."""
    due = task.next if task.next is None or task.next > record.due else next
    return structs.replace(
        task,
        version=task.version + 1,
        next=due,
        last=max(task.last or 0, record.due),
        firing=None,
        place=None,
        state=state,
        log=_log(record, task.log),
    )


def skipped(task: Task, record: FiringRecord, next: int) -> Task:
    """Return a task some of whose due times are not fired, since they are too late."""
    return structs.replace(task, version=task.version + 1, next=next, log=_log(record, task.log))


def paused(task: Task) -> Task:
    """Return a task that is not due until it is resumed. A firing for a segment stops after its page."""
    return structs.replace(task, version=task.version + 1, paused=True, next=None)


def resumed(task: Task, next: int) -> Task:
    """Return a task that is no longer paused; one that was paused in the middle of a firing goes on with it."""
    due = task.firing.due if task.firing is not None else next
    return structs.replace(task, version=task.version + 1, paused=False, next=due)


def failures(task: Task) -> int:
    """Return how many of a task's newest firings have failed in a row."""
    count = 0
    for record in task.log:
        if record.outcome != "failed":
            break
        count += 1
    return count


def _log(record: FiringRecord, log: tuple[FiringRecord, ...]) -> tuple[FiringRecord, ...]:
    """Return a task's log with one more firing, as long as it may be."""
    older = [structs.replace(each, lines=()) if each.lines else each for each in log[WITH_LINES - 1 : MAX_LOG - 1]]
    return (record, *log[: WITH_LINES - 1], *older)
