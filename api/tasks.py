"""Routes by which operators see tasks and flows with a schedule, and fire, pause and resume them."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import Request, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.mask import Mask
from api.access.option import access
from api.description.operation import described
from api.documents.operating import FIRED, SUMMARY, TASK, FiringResult, TaskSummary
from api.documents.operating import Task as TaskDocument
from api.problem import HttpProblem
from api.unmerge import no_foreign_page
from engine.flow.schedule import spec_of
from engine.ports.task import FiringRecord, Task
from engine.tracking.schedules.scheduled import Scheduled
from engine.tracking.schedules.scheduler import Busy, NoTask, Scheduler

WAIT_SECONDS: Final = 20.0  # for the end of a firing that was asked for; then it goes on without the request


def task_router(scheduler: Scheduler) -> Router:
    """Return the routes of what has a schedule; no page of another origin may make changes."""

    @get(
        "/tasks",
        summary="Tasks and flows with a schedule, with their next due times",
        opt=access("viewer") | described("listTasks", list[TaskSummary], example=[SUMMARY]),
    )
    async def tasks() -> list[dict[str, Any]]:
        zone = scheduler.timezone
        return [serialize_task(one, zone, task) for one, task in await scheduler.tasks()]

    @get(
        "/tasks/{name:str}",
        summary="A task or a flow with a schedule: its state, and the log of its firings",
        opt=access("viewer") | described("readTask", TaskDocument, example=TASK),
    )
    async def task(request: Request[Any, Any, Any], name: FromPath[str]) -> dict[str, Any]:
        return _seen(serialize_details(await _found(scheduler, name)), mask_of(request))

    @post(
        "/tasks/{name:str}/run",
        status_code=200,
        summary="Fire a task or a scheduled flow now",
        guards=[no_foreign_page],
        opt=access("operator") | described("fireTask", FiringResult, 409, example=FIRED),
    )
    async def run(request: Request[Any, Any, Any], name: FromPath[str]) -> dict[str, Any]:
        mask = mask_of(request)
        try:
            async with audited(request, "fire a task", f"task/{name}"):
                firing = await scheduler.run_now(name)
        except NoTask as unknown:
            raise _not_found(name) from unknown
        except Busy as busy:
            raise HttpProblem(409, f"`{name}` is being fired: wait for its end") from busy
        done, _ = await asyncio.wait([firing], timeout=WAIT_SECONDS)
        record = firing.result() if done else None
        shown = None if record is None else _seen_firing(serialize_record(record), mask)
        return {"task": name, "running": not done, "firing": shown}

    @post(
        "/tasks/{name:str}/pause",
        status_code=200,
        summary="Pause a task or a scheduled flow",
        guards=[no_foreign_page],
        opt=access("operator")
        | described("pauseTask", TaskDocument, example={**TASK, "state": "paused", "next": None}),
    )
    async def pause(request: Request[Any, Any, Any], name: FromPath[str]) -> dict[str, Any]:
        await _found(scheduler, name)
        async with audited(request, "pause a task", f"task/{name}"):
            paused = serialize_details(await scheduler.pause(name))
        return _seen(paused, mask_of(request))

    @post(
        "/tasks/{name:str}/resume",
        status_code=200,
        summary="Resume a paused task or flow",
        guards=[no_foreign_page],
        opt=access("operator") | described("resumeTask", TaskDocument, example=TASK),
    )
    async def resume(request: Request[Any, Any, Any], name: FromPath[str]) -> dict[str, Any]:
        await _found(scheduler, name)
        async with audited(request, "resume a task", f"task/{name}"):
            resumed = serialize_details(await scheduler.resume(name))
        return _seen(resumed, mask_of(request))

    return Router("/", route_handlers=[tasks, task, run, pause, resume], tags=["schedules"])


def _seen(task: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """Return a task as a mask leaves it: scripts may keep and log any data."""
    return task | {"values": mask.whole(task["values"]), "log": [_seen_firing(each, mask) for each in task["log"]]}


def _seen_firing(record: dict[str, Any], mask: Mask) -> dict[str, Any]:
    return record | {"reason": mask.text(record["reason"]), "log": mask.whole(record["log"])}


async def _found(scheduler: Scheduler, name: str) -> Task:
    try:
        return await scheduler.task(name)
    except NoTask as unknown:
        raise _not_found(name) from unknown


def _not_found(name: str) -> NotFoundException:
    return NotFoundException(f"no task and no flow with a schedule has the name {name}")


def serialize_task(one: Scheduled, timezone: str, task: Task | None) -> dict[str, Any]:
    """Return a task as lists show it; `timezone` is the project's."""
    return {
        "task": one.name,
        "schedule": spec_of(one.schedule, timezone),
        "state": "new" if task is None else _state(task),
        "next": None if task is None else _time(task.next),
        "last": None if task is None else _time(task.last),
        "outcome": None if task is None or not task.log else task.log[0].outcome,
    }


def serialize_details(task: Task) -> dict[str, Any]:
    """Return all of a task that operators see."""
    return {
        "task": task.id,
        "schedule": task.spec,
        "state": _state(task),
        "next": _time(task.next),
        "last": _time(task.last),
        "values": msgspec.to_builtins(task.state),
        "log": [serialize_record(record) for record in task.log],
    }


def serialize_record(record: FiringRecord) -> dict[str, Any]:
    """Return a firing of a task's log."""
    return {
        "due": _time(record.due),
        "began": _time(record.began),
        "took_ms": record.ended - record.began,
        "outcome": record.outcome,
        "reason": record.reason,
        "missed": record.missed,
        "run": record.run or None,
        "events": record.events,
        "rejected": record.rejected,
        "log": list(record.lines),
    }


def _state(task: Task) -> str:
    if task.firing is not None and task.firing.by:
        return "running"
    if task.paused:
        return "paused"
    return "gone" if task.next is None else "waiting"


def _time(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")
