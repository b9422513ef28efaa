"""`/console/tasks`: what has a schedule, with its firings; and runs that wait, with cancelling them."""

from functools import partial
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Struct

from api.access.audit import audited
from api.access.option import access
from api.access.principal import principal_of
from api.access.role import allows
from api.console.pages.login import texts_of
from api.console.site import Site, link, path_of
from api.console.words import many, value, visible
from api.problem import HttpProblem
from api.tasks import serialize_details, serialize_task
from engine.tracking.operations.waits import cancel_each, cancel_served, failed_runs, open_waits
from engine.tracking.schedules.scheduler import Busy, NoTask, Scheduler

TAB: Final = "/console/tasks"
WAITS: Final = "/console/waits"
LISTED: Final = 100  # waits, and runs that failed after one
CHANGES: Final = {"run": "Fire now", "pause": "Pause", "resume": "Resume"}
Document = dict[str, Any]


class WaitRow(Struct, frozen=True):
    """A run that waits, or one that had waited and then failed."""

    id: str
    flow: str
    flow_link: str
    on: list[str]
    since: int
    due: int | None
    outcome: str
    reason: str
    profile: str
    profile_link: str
    link: str


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of tasks and waits."""
    return [*_reading(site), *_changing(site)]


def _reading(site: Site) -> list[HTTPRouteHandler]:
    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def tasks(
        request: Request[Any, Any, Any],
        flow: FromQuery[str] = "",
        cancelled: FromQuery[int | None] = None,
        left: FromQuery[int] = 0,
    ) -> Response[str]:
        scheduler = scheduler_of(request)
        known = [serialize_task(one, scheduler.timezone, task) for one, task in await scheduler.tasks()]
        waits, failed = await _waits(site, flow), await _failed(site, flow)
        document = site.shown(request, {"waits": waits, "failed": failed})
        return site.page(
            request,
            "tasks.html",
            tab=TAB,
            tasks=[{**each, "link": path_of("tasks", each["task"])} for each in known],
            waits=[_row(each) for each in document["waits"]],
            failed=[_row(each) for each in document["failed"]],
            listed=LISTED,
            flow=flow,
            headline=f"{many(len(known), 'task')}, {_count(len(waits))} waiting",
            notice=_notice(cancelled, left),
            may=allows(principal_of(request).role, "operator"),
            everything=TAB,
            cancel=f"{WAITS}/cancel",
        )

    @get(f"{TAB}/{{name:str}}", include_in_schema=False, opt=access("viewer"))
    async def task(request: Request[Any, Any, Any], name: FromPath[str], said: FromQuery[str] = "") -> Response[str]:
        try:
            details = serialize_details(await scheduler_of(request).task(name))
        except NoTask as unknown:
            raise NotFoundException(f"no task and no flow with a schedule has the name {name}") from unknown
        document = site.shown(request, {"task": details})["task"]
        log = [{**each, "run_link": path_of("runs", each["run"]) if each["run"] else ""} for each in document["log"]]
        return site.page(
            request,
            "task.html",
            tab=TAB,
            task=document,
            log=log,
            values=[(visible(str(key)), value(data)) for key, data in (document.get("values") or {}).items()],
            is_flow=any(flow.name == name for flow in site.project.flows),
            changes=_changes(document["state"]) if allows(principal_of(request).role, "operator") else [],
            here=path_of("tasks", name),
            said=_SAID.get(said, ""),
        )

    return [tasks, task]


def _changing(site: Site) -> list[HTTPRouteHandler]:
    @post(f"{TAB}/{{name:str}}/{{change:str}}", include_in_schema=False, opt=access("operator"))
    async def change(request: Request[Any, Any, Any], name: FromPath[str], change: FromPath[str]) -> Redirect:
        if change not in CHANGES:
            raise NotFoundException(f"tasks have no such change as {change}")
        scheduler, form = scheduler_of(request), await texts_of(request)
        try:
            await scheduler.task(name)
            async with audited(request, f"{change} a task", f"task/{name}", reason=form.get("reason", "")):
                await {"run": scheduler.run_now, "pause": scheduler.pause, "resume": scheduler.resume}[change](name)
        except NoTask as unknown:
            raise NotFoundException(f"no task and no flow with a schedule has the name {name}") from unknown
        except Busy as busy:
            raise HttpProblem(409, f"`{name}` is being fired: wait for its end") from busy
        return Redirect(link(path_of("tasks", name), said=change), status_code=303)

    @get(f"{WAITS}/cancel", include_in_schema=False, opt=access("operator"))
    async def confirm(request: Request[Any, Any, Any], id: FromQuery[list[str] | None] = None) -> Response[str]:
        chosen = set(id or ())
        waits = [each for each in await _waits(site, "") if each["id"] in chosen]
        rows = [_row(each) for each in site.shown(request, {"waits": waits})["waits"]]
        return site.page(
            request, "waits_cancel.html", tab=TAB, rows=rows, back=f"{TAB}#waits", action=f"{WAITS}/cancel"
        )

    @post(f"{WAITS}/cancel", include_in_schema=False, opt=access("operator"))
    async def cancel(request: Request[Any, Any, Any]) -> Redirect:
        form = await request.form()
        ids = [str(each) for each in form.getall("id", [])][:LISTED]
        reason = str(form.get("reason") or "")
        async with audited(request, "cancel waits", *[f"wait/{id}" for id in ids], reason=reason) as notes:
            done = await cancel_each(ids, partial(cancel_served, site.pipeline))
            notes.detail = f"{len(done.cancelled)} cancelled, {len(done.failed)} had ended"
        address = link(TAB, cancelled=len(done.cancelled), left=len(done.failed))
        return Redirect(f"{address}#waits", status_code=303)

    return [change, confirm, cancel]


_SAID: Final = {
    "run": "It is fired now; the log has the result once it has ended.",
    "pause": "It is paused: no time fires it until it is resumed.",
    "resume": "It goes on by its schedule.",
}


def scheduler_of(request: Request[Any, Any, Any]) -> Scheduler:
    """Return the scheduler of the application."""
    found: Scheduler = request.app.state.scheduler
    return found


def _changes(state: str) -> list[tuple[str, str]]:
    """Return what an operator may do with a task in a state: the name of the change, and the word of its button."""
    if state == "gone":
        return []
    return [(name, CHANGES[name]) for name in (("run", "resume") if state == "paused" else ("run", "pause"))]


async def _waits(site: Site, flow: str) -> list[Document]:
    found: list[Document] = []
    async for one in open_waits(site.store, flow, ""):
        found.append(msgspec.to_builtins(one))
        if len(found) == LISTED:
            break
    return found


async def _failed(site: Site, flow: str) -> list[Document]:
    """Return runs that had waited and then failed, of the newest runs that failed."""
    found: list[Document] = []
    async for one in failed_runs(site.store, flow, ""):
        found.append(msgspec.to_builtins(one))
        if len(found) == LISTED // 5:
            break
    return found


def _row(document: Document) -> WaitRow:
    profile, reason = str(document.get("profile") or ""), document.get("reason")
    return WaitRow(
        id=document["id"],
        flow=document["flow"],
        flow_link=path_of("flows", document["flow"]),
        on=[visible(str(each)) for each in document.get("on", ())],
        since=document.get("began") or document.get("at") or 0,
        due=document.get("due"),
        outcome=document.get("outcome", ""),
        reason=visible(reason) if isinstance(reason, str) else "",
        profile=profile,
        profile_link=path_of("profiles", profile) if profile else "",
        link=path_of("runs", document["id"]) if "outcome" in document else path_of("events", str(document["event"])),
    )


def _count(count: int) -> str:
    runs = many(count, "run")
    return f"{runs} or more" if count == LISTED else runs


def _notice(cancelled: int | None, left: int) -> str:
    if cancelled is None:
        return ""
    return f"{many(cancelled, 'wait')} cancelled" + (f"; {left:,} had ended already." if left else ".")
