"""`/console/replay`: runs run again from their recordings, dry; then, on request, failed ones for real, each once."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from markupsafe import Markup
from msgspec import Struct

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.option import access
from api.access.principal import principal_of
from api.console.pages.login import texts_of
from api.console.site import Site, link, path_of
from api.console.words import many, short_id, visible
from api.picture.layout import TooManyNodes, picture
from api.picture.svg import svg
from api.picture.taken import taken
from api.replays import AT_ONCE, AppliedRuns, applied_runs, dry_report
from api.serialize import serialize_run
from engine.flow.plan import Flow
from engine.tracking.intake.payload import Refusal
from engine.tracking.operations.replaying import DryReport
from engine.tracking.pipeline.flow_versions import FlowVersions

PAGE: Final = "/console/replay"
APPLY: Final = f"{PAGE}/apply"
TAB: Final = "/console/runs"
LIMIT: Final = 1000  # runs of a query
LISTED: Final = 50
LINES: Final = 12  # of one side of a difference


class Row(Struct, frozen=True):
    """A run that differs, in the list."""

    run: str
    flow: str
    event: str
    type: str
    then: str
    now: str
    what: str
    link: str
    shown: bool


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the page of a dry replay, and of applying it."""
    versions = FlowVersions(site.store, lambda: site.project)

    @get(PAGE, include_in_schema=False, opt=access("operator"))
    async def dry(
        request: Request[Any, Any, Any], run: FromQuery[str] = "", q: FromQuery[str] = "", show: FromQuery[str] = ""
    ) -> Response[str]:
        return await _page(site, request, versions, run, q, show)

    @post(APPLY, include_in_schema=False, opt=access("operator"))
    async def apply(request: Request[Any, Any, Any]) -> Response[str]:
        form = await texts_of(request)
        runs = [id for id in form.get("runs", "").split() if id][:AT_ONCE]
        if not runs:
            raise Refusal("malformed", "no run is named: go back and choose some")
        subjects = [f"run/{id}" for id in runs]
        async with audited(request, "replay runs", *subjects, reason=form.get("reason", "")) as notes:
            done = await applied_runs(site.pipeline, runs, principal_of(request).name)
            notes.detail = f"{len(done.applied)} done again, {len(done.refused)} refused"
        return site.page(request, "replayed.html", tab=TAB, headline=_applied_words(done), done=done, path_of=path_of)

    return [dry, apply]


async def _page(
    site: Site, request: Request[Any, Any, Any], versions: FlowVersions, run: str, q: str, show: str
) -> Response[str]:
    """Return the page of a dry replay, of one run or of those that a query finds. Raises `Refusal`."""
    mask = mask_of(request)
    report = await dry_report(site.pipeline, [run] if run else [], None if run else q, LIMIT, mask)
    found = [mask.replay(each) for each in msgspec.to_builtins(report.differing)]
    chosen = next((each for each in found if each["run"] == show), found[0] if found else None)
    return site.page(
        request,
        "replay.html",
        tab=TAB,
        headline=_headline(report),
        q=q,
        run=run,
        back=path_of("runs", run) if run else link("/console/runs", q=q),
        report=report,
        rows=[_row(each, run, q, chosen) for each in found[:LISTED]],
        more=max(0, len(found) - LISTED),
        chosen=chosen,
        detail=await _detail(site, request, versions, chosen) if chosen else None,
        lines=[_cut(each) for each in chosen["differences"]] if chosen else [],
        refused=[visible(each.reason) for each in report.refused[:10]],
        appliable=list(report.failed[:AT_ONCE]),
        limited=report.replayed + len(report.refused) >= LIMIT,
        action=APPLY,
    )


def _headline(report: DryReport) -> str:
    total = report.replayed
    if not total:
        return "No run was replayed"
    better = sum(row.count for row in report.table if row.then == "failed" and row.now == "finished")
    failed = sum(row.count for row in report.table if row.then == "failed")
    differ = len(report.differing)
    if failed == total:
        return f"On the current version, {better} of {many(total, 'run')} would finish"
    return f"On the current version, {differ} of {many(total, 'run')} would differ"


def _applied_words(done: AppliedRuns) -> str:
    finished = sum(each.outcome == "finished" for each in done.applied)
    words = f"{many(len(done.applied), 'run')} done again, {finished} finished"
    return f"{words}, {len(done.refused)} refused" if done.refused else words


def _row(each: Mapping[str, Any], run: str, q: str, chosen: Mapping[str, Any] | None) -> Row:
    what = ", ".join(one["what"] for one in each["differences"])
    return Row(
        run=each["run"],
        flow=each["flow"],
        event=short_id(each["event"]),
        type=visible(each["type"]),
        then=each["then"],
        now=each["now"],
        what=what,
        link=link(PAGE, run=run, q=q, show=each["run"]),
        shown=chosen is not None and chosen["run"] == each["run"],
    )


def _cut(difference: Mapping[str, Any]) -> dict[str, Any]:
    """Return a difference with the lines of each side that are not on the other, at most `LINES`."""
    before, after = list(difference["before"]), list(difference["after"])
    return {
        "what": difference["what"],
        "before": [visible(line) for line in before if line not in after][:LINES],
        "after": [visible(line) for line in after if line not in before][:LINES],
        "same": sum(line in after for line in before),
    }


async def _detail(
    site: Site, request: Request[Any, Any, Any], versions: FlowVersions, chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the two pictures of a run: the path that it took, and the one that it would take now."""
    record = await site.store.run(chosen["run"])
    before = site.shown(request, serialize_run(record)) if record is not None else {}
    current = next((flow for flow in site.project.flows if flow.name == chosen["flow"]), None)
    earlier = await versions.find(record.flow, record.version) if record is not None else "the run is gone"
    return {
        "then": await asyncio.to_thread(_drawn, earlier, before),
        "now": await asyncio.to_thread(_drawn, current, chosen["trace"]),
        "run_link": path_of("runs", chosen["run"]),
    }


def _drawn(flow: Flow | str | None, trace: Mapping[str, Any]) -> Markup | None:
    if not isinstance(flow, Flow) or "steps" not in trace:
        return None
    path = taken(trace)
    fatal = path.end is not None and (node := flow.all_nodes.get(path.end[0])) is not None and "failed" in node.fatal
    try:
        return svg(picture(flow, path.end if fatal else None), path)
    except TooManyNodes:
        return None
