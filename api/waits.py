"""Open waits over HTTP: operators list them, look at one, and cancel one."""

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.option import access
from api.description.operation import described
from api.documents.record import WAIT, ListedWait
from api.problem import HttpProblem
from api.unmerge import no_foreign_page
from engine.ports.resolve import NotFound
from engine.tracking.operations.waits import (
    CancelledWaits,
    OpenWait,
    cancel_each,
    cancel_served,
    failed_runs,
    open_wait,
    open_waits,
)
from engine.tracking.pipeline.pipeline import Pipeline

Flow = Annotated[str, QueryParameter(description="Only those of this flow")]
Version = Annotated[str, QueryParameter(description="Only those of the version of a flow that begins so")]
Failed = Annotated[bool, QueryParameter(description="Runs that had waited and then failed or were cancelled instead")]
Limit = Annotated[int, QueryParameter(description="How many are returned at most; 0: all")]


CANCELLED: Final = {"cancelled": [WAIT], "failed": {}}


class WaitChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: the ids of waits, or a flow, or how the version of a flow begins."""

    ids: list[str] = []
    flow: str = ""
    version: str = ""


def waits_router(pipeline: Pipeline) -> Router:
    """Return the routes; no page of another origin may cancel."""
    store = pipeline.store

    @get(
        "/waits",
        summary="Runs that wait, the newest first",
        opt=access("viewer") | described("listWaits", list[ListedWait], example=[WAIT]),
    )
    async def waits(
        request: Request[Any, Any, Any],
        flow: Flow = "",
        version: Version = "",
        failed: Failed = False,
        limit: Limit = 100,
    ) -> list[dict[str, Any]]:
        mask = mask_of(request)
        found: list[dict[str, Any]] = []
        async for one in failed_runs(store, flow, version) if failed else open_waits(store, flow, version):
            found.append(mask.view("waits", msgspec.to_builtins(one)))
            if len(found) == limit:
                break
        return found

    @get(
        "/waits/{id:str}",
        summary="A run that waits, as its profile has it now",
        opt=access("viewer") | described("readWait", OpenWait, example=WAIT),
    )
    async def wait(request: Request[Any, Any, Any], id: FromPath[str]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = msgspec.to_builtins(await open_wait(store, id))
        except NotFound as unknown:
            raise NotFoundException(str(unknown)) from unknown
        return mask_of(request).view("waits", found)

    @post(
        "/waits/cancel",
        status_code=200,
        summary="End runs that wait",
        guards=[no_foreign_page],
        opt=access("operator")
        | described(
            "cancelWaits", CancelledWaits, example={"cancelled": [WAIT], "failed": {}}, body={"flow": "remind"}
        ),
    )
    async def cancel(request: Request[Any, Any, Any], data: JSONBody[WaitChoice]) -> CancelledWaits:
        if bool(data.ids) == bool(data.flow or data.version):
            raise HttpProblem(400, "name the `ids` of waits, or a `flow` or `version`")
        ids = data.ids or [wait.id async for wait in open_waits(store, data.flow, data.version)]
        wanted = [f"wait/{id}" for id in ids] if data.ids else [f"flow/{data.flow or data.version}"]
        async with audited(request, "cancel waits", *wanted) as notes:
            done = await cancel_each(ids, partial(cancel_served, pipeline))
            notes.detail = f"{len(done.cancelled)} cancelled"
        return done

    return Router("/", route_handlers=[waits, wait, cancel], tags=["waits"])
