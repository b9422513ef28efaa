"""Routes by which operators replay runs: dry, to see the difference, and failed ones for real."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Router, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.guessing import require_no_guessing
from api.access.mask import Mask
from api.access.option import access
from api.access.principal import principal_of
from api.description.operation import described
from api.search import parsed_query, searchable_of
from api.unmerge import no_foreign_page
from engine.ports.records import RunRecord
from engine.ports.store import Searches
from engine.search.page import MAX_LIMIT
from engine.search.query import Query
from engine.tracking.intake.payload import Refusal
from engine.tracking.operations.replaying import Applied, DryReplays, DryReport, NotReplayed, Refused, apply_replay
from engine.tracking.pipeline.pipeline import Pipeline

AT_ONCE: Final = 100  # runs that one request does again
DRY_AT_ONCE: Final = 5_000  # runs that one request replays
SLICE: Final = 50  # dry replays until other requests have a turn
RUN: Final = "18cc90f3d6d1fbc393e048cc19414cdd"
EXAMPLE: Final[dict[str, Any]] = {
    "replayed": 1,
    "differing": [
        {
            "run": RUN,
            "flow": "cart",
            "event": "cem-5",
            "type": "cart-updated",
            "at": 1_777_777_777_000,
            "profile": "p-1",
            "then": "failed",
            "now": "finished",
            "differences": [{"what": "outcome", "before": ["failed"], "after": ["finished"]}],
            "unrecorded": [],
            "reason": "",
            "trace": {},
        }
    ],
    "table": [{"then": "failed", "now": "finished", "count": 1, "differing": 1}],
    "refused": [],
    "failed": [RUN],
}


class ReplayChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: ids of runs, or a query over runs (`where`) with at most `limit` of those that it finds."""

    runs: tuple[str, ...] = ()
    where: str | None = None
    limit: Annotated[int, Meta(ge=1, le=DRY_AT_ONCE)] = 1000


class RunsToApply(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: ids of failed runs that are done again."""

    runs: Annotated[tuple[str, ...], Meta(min_length=1, max_length=AT_ONCE)]


class AppliedRuns(Struct, frozen=True):
    """The runs that were done again, and those that were not."""

    applied: tuple[Applied, ...]
    refused: tuple[Refused, ...]


def replays_router(pipeline: Pipeline) -> Router:
    """Return the routes; no page of another origin may make changes."""

    @post(
        "/replays",
        status_code=200,
        summary="Run kept runs again from their recordings, and return what differs",
        guards=[no_foreign_page],
        opt=access("operator") | described("replayRuns", DryReport, example=EXAMPLE, body={"runs": [RUN]}),
    )
    async def dry(request: Request[Any, Any, Any], data: JSONBody[ReplayChoice]) -> dict[str, Any]:
        """Nothing is written and nothing is sent. The flows are those that are served now."""
        if bool(data.runs) == (data.where is not None):
            raise Refusal("malformed", "name `runs`, or a query over runs as `where`")
        mask = mask_of(request)
        done = await dry_report(pipeline, data.runs, data.where, data.limit, mask)
        report: dict[str, Any] = msgspec.to_builtins(done)
        return {**report, "differing": [mask.replay(each) for each in report["differing"]]}

    @post(
        "/replays/apply",
        status_code=200,
        summary="Do failed runs again, each once",
        guards=[no_foreign_page],
        opt=access("operator")
        | described(
            "applyReplays",
            AppliedRuns,
            example={"applied": [{"run": RUN, "new_run": "0f3d", "outcome": "finished"}], "refused": []},
            body={"runs": [RUN]},
        ),
    )
    async def apply(request: Request[Any, Any, Any], data: JSONBody[RunsToApply]) -> AppliedRuns:
        """Each runs on its profile as it is now, with the flow that is served now, in a unit of its own."""
        async with audited(request, "replay runs", *[f"run/{id}" for id in data.runs]) as notes:
            done = await applied_runs(pipeline, data.runs, principal_of(request).name)
            notes.detail = f"{len(done.applied)} done again, {len(done.refused)} refused"
        return done

    return Router("/", route_handlers=[dry, apply], tags=["runs"])


async def dry_report(pipeline: Pipeline, runs: Sequence[str], where: str | None, limit: int, mask: Mask) -> DryReport:
    """Replay runs by their ids, or those that a query finds. Raises `Refusal`, `HttpProblem` and `Unavailable`."""
    project = pipeline.project
    replays = DryReplays({flow.name: flow for flow in project.flows}, project.settings.hash_keys)
    missing: list[Refused] = []
    count = 0
    if where is None:
        for id in runs[:limit]:
            run = await pipeline.store.run(id)
            if run is None:
                missing.append(Refused(id, "gone", f"there is no run {id}"))
            else:
                replays.add(run)
    else:
        query = parsed_query(where, searchable_of("runs"), project, pipeline.clock.now())
        require_no_guessing(query, mask)
        async for run in found_runs(pipeline.store, query, limit):
            replays.add(run)
            count += 1
            if count % SLICE == 0:
                await asyncio.sleep(0)
    report = replays.report()
    return msgspec.structs.replace(report, refused=(*missing, *report.refused))


async def found_runs(store: Searches, query: Query, limit: int) -> AsyncIterator[RunRecord]:
    """Yield the runs that a query finds, newest first, at most `limit`. Raises `Unavailable`."""
    after: str | None = None
    left = limit
    while left > 0:
        page = await store.search(query, min(left, MAX_LIMIT), after)
        for run in page.items:
            if isinstance(run, RunRecord):
                left -= 1
                yield run
        after = page.after
        if after is None:
            return


async def applied_runs(pipeline: Pipeline, runs: Sequence[str], by: str) -> AppliedRuns:
    """Do failed runs again, one after the other. Raises `Unavailable`; what was done before stays done."""
    applied: list[Applied] = []
    refused: list[Refused] = []
    for id in dict.fromkeys(runs):
        run = await pipeline.store.run(id)
        try:
            if run is None:
                raise NotReplayed("gone", f"there is no run {id}")
            applied.append(await apply_replay(pipeline, run, by))
        except NotReplayed as reason:
            refused.append(Refused(id, reason.code, str(reason)))
    return AppliedRuns(tuple(applied), tuple(refused))
