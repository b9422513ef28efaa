"""Routes that switch full tracing on and off, and the work by which a process learns of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from api.access.audit import audited
from api.access.option import access
from api.access.principal import principal_of
from api.description.operation import described
from api.metrics.worked import worked
from api.problem import HttpProblem
from api.unmerge import no_foreign_page
from effects.ids import new_id
from effects.recurring_work import RecurringWork
from engine.problem import did_you_mean
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.tracing import MAX_MINUTES, MINUTE, Switch, TooManySwitches, switch_off, switch_on, switches

SECONDS: Final = 2.0  # between two looks at the switches

Name = Annotated[str, Meta(max_length=200)]


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The runs to trace: all that is named must fit. `minutes` is for how long."""

    flow: Name = ""
    profile: Name = ""
    session: Name = ""
    type: Name = ""
    minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES)] = 10


EXAMPLE: Final = {"id": "0197f3c2", "until": 1_735_689_600_000, "flow": "order-to-vip", "by": "admin"}


def tracing_router(pipeline: Pipeline) -> Router:
    """Return the routes."""

    @get(
        "/",
        summary="The switches that are on",
        opt=access("viewer") | described("listTracing", list[Switch], example=[EXAMPLE]),
    )
    async def listed() -> list[Switch]:
        return list(await switches(pipeline.store, pipeline.clock.now()))

    @post(
        "/",
        status_code=201,
        summary="Trace runs fully for some minutes",
        guards=[no_foreign_page],
        opt=access("operator")
        | described(
            "traceRuns", Switch, 409, status=201, example=EXAMPLE, body={"flow": "order-to-vip", "minutes": 10}
        ),
    )
    async def on(request: Request[Any, Any, Any], data: JSONBody[Wanted]) -> Switch:
        names = {name: value for name in ("flow", "profile", "session", "type") if (value := getattr(data, name))}
        if not names:
            raise Refusal("malformed", "name a flow, a profile, a session or a type of events, or several of them")
        flows = {flow.name for flow in pipeline.project.flows}
        if data.flow and data.flow not in flows:
            raise Refusal("malformed", f"there is no flow `{data.flow}`: {did_you_mean(data.flow, flows)}")
        now = pipeline.clock.now()
        switch = Switch(new_id(), now + data.minutes * MINUTE, by=principal_of(request).name, **names)
        subjects = [f"{name}/{value}" for name, value in names.items()]
        async with audited(request, "trace runs", *subjects) as notes:
            notes.detail = f"{data.minutes} minutes"
            try:
                await switch_on(pipeline.store, switch, now)
            except TooManySwitches as many:
                raise HttpProblem(409, str(many)) from many
        await refresh(pipeline)
        return switch

    @delete(
        "/{id:str}",
        status_code=200,
        summary="Trace no longer",
        opt=access("operator") | described("endTracing", list[Switch], example=[]),
    )
    async def off(request: Request[Any, Any, Any], id: FromPath[str]) -> list[Switch]:
        async with audited(request, "trace no longer", f"switch/{id}"):
            if not await switch_off(pipeline.store, id, pipeline.clock.now()):
                raise NotFoundException(f"there is no switch {id} that is on")
        await refresh(pipeline)
        return list(pipeline.tracing or ())

    return Router("/tracing", route_handlers=[listed, on, off], tags=["server"])


async def refresh(pipeline: Pipeline) -> None:
    """Let a process trace what the switches say. Raises `Unavailable`."""
    pipeline.tracing = await switches(pipeline.store, pipeline.clock.now()) or None


@asynccontextmanager
async def following_switches(pipeline: Pipeline) -> AsyncIterator[None]:
    """Follow the switches as long as the context is open."""

    async def look() -> None:
        try:
            await refresh(pipeline)
        except msgspec.DecodeError:  # of a later version
            pipeline.tracing = None

    recurring = RecurringWork(pipeline.report, worked(pipeline))
    recurring.every("looking for switches of tracing", SECONDS, look, first=0)
    async with recurring:
        yield
