"""Forgetting profiles over HTTP: an operator starts it, it runs in the background, and its state can be read."""

import asyncio
from typing import Annotated, Any

import msgspec
import structlog
from litestar import Request, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter

from api.access.audit import audited
from api.access.option import access
from api.description.operation import described
from api.documents.operating import FORGETTING
from api.documents.operating import Forgetting as ForgettingDocument
from api.unmerge import no_foreign_page
from effects.ids import new_id
from engine.ports.kinds import ERASABLE
from engine.ports.resolve import NotFound
from engine.ports.store import Unavailable
from engine.tracking.operations.forgetting import Forgetter, Forgetting, quiet_ms
from engine.tracking.pipeline.pipeline import Pipeline

Claims = Annotated[bool, QueryParameter(description="Also erase the profiles that claim keys which it has proven")]

LEFT_MS = 60_000  # a forgetting without a heartbeat for so long is taken over

log = structlog.get_logger("headrace.forgetting")


class Forgettings:
    """The forgettings that this process works on. Those that its end leaves undone, any process resumes."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._idle_ms = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def _forgetter(self) -> Forgetter:
        """Return one for the project that is served now."""
        pipeline = self._pipeline
        return Forgetter(pipeline.store, pipeline.clock, pipeline, quiet_ms=quiet_ms(pipeline.project))

    async def begin(self, id: str, claims: bool) -> Forgetting:
        """Start to forget a profile, with `claims` also those that claim its keys: their payloads are refused now.

        Raises `NotFound` and `Unavailable`.
        """
        begun = await self._forgetter.begin(id, new_id(), claims=claims)
        self._go_on(begun)
        return begun

    async def resume(self) -> None:
        """Resume forgettings that were left undone: all of them when this process is new. Raises `Unavailable`."""
        for_ms, self._idle_ms = self._idle_ms, LEFT_MS
        for left in await self._forgetter.left(for_ms):
            self._go_on(left)

    async def all(self) -> list[Forgetting]:
        """Return all that there ever were, the newest first."""
        return await self._forgetter.all()

    async def one(self, name: str) -> Forgetting | None:
        """Return one of them."""
        return await self._forgetter.one(name)

    async def close(self) -> None:
        """Leave the rest to a process that resumes it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _go_on(self, forgetting: Forgetting) -> None:
        if forgetting.id not in self._tasks:
            task = self._tasks[forgetting.id] = asyncio.create_task(self._finish(forgetting))
            task.add_done_callback(lambda _: self._tasks.pop(forgetting.id, None))

    async def _finish(self, forgetting: Forgetting) -> None:
        try:
            done = await self._forgetter.finish(forgetting)
            log.info("a profile has been forgotten", forgetting=done.id, documents=sum(done.erased.values()))
        except Unavailable as unavailable:
            log.warning("forgetting is gone on with later", forgetting=forgetting.id, reason=unavailable.reason)
        except Exception as error:  # the edge of a task: it is resumed later all the same
            log.error("forgetting failed", forgetting=forgetting.id, exc_info=error)


def forgetting_router(forgettings: Forgettings) -> Router:
    """Return the routes: to start a forgetting, and to read its state."""

    @post(
        "/profiles/{id:str}/forget",
        status_code=202,
        summary="Erase all that is stored of a profile",
        guards=[no_foreign_page],
        opt=access("admin")
        | described("forgetProfile", ForgettingDocument, status=202, says="It has begun", example=FORGETTING),
    )
    async def forget(request: Request[Any, Any, Any], id: FromPath[str], claims: Claims = False) -> dict[str, Any]:
        try:
            async with audited(request, "forget a profile") as notes:  # the entry must not keep the erased id
                begun = await forgettings.begin(id, claims)
                notes.subjects = (f"forgetting/{begun.id}",)
            return serialize_begun(begun)
        except NotFound as unknown:
            raise NotFoundException(str(unknown)) from unknown

    @get(
        "/forgettings",
        summary="What has been forgotten, and how far it is",
        opt=access("viewer") | described("listForgettings", list[ForgettingDocument], example=[FORGETTING]),
    )
    async def every() -> list[dict[str, Any]]:
        return [serialize_forgetting(one) for one in await forgettings.all()]

    @get(
        "/forgettings/{name:str}",
        summary="How far a forgetting is",
        opt=access("viewer") | described("readForgetting", ForgettingDocument, example=FORGETTING),
    )
    async def one(name: FromPath[str]) -> dict[str, Any]:
        found = await forgettings.one(name)
        if found is None:
            raise NotFoundException(f"there is no forgetting {name}")
        return serialize_forgetting(found)

    return Router("/", route_handlers=[forget, every, one], tags=["identity"])


def serialize_forgetting(forgetting: Forgetting) -> dict[str, Any]:
    """Return a forgetting, without the ids that it is about.

    `received` counts the messages that targets have received, by target: they stay there.
    """
    return {
        "forgetting": forgetting.id,
        "status": forgetting.status,
        "asked": forgetting.asked,
        "complete": forgetting.complete,
        "erased": {kind: forgetting.erased.get(kind, 0) for kind in ERASABLE},
        **({"received": dict(sorted(forgetting.received.items()))} if forgetting.received else {}),
    }


def serialize_begun(forgetting: Forgetting) -> dict[str, Any]:
    """Return a forgetting that was just begun, with ids that are answered then only; empty lists are left out.

    `by_claims` are the erased ids that only claims had joined; `claims` are profiles that stay and show the profile's
    keys, since they claim them, and `claims_erased` those that are erased with it.
    """
    claims = "claims_erased" if forgetting.erases_claims else "claims"
    lists = {"by_claims": list(forgetting.by_claims), claims: msgspec.to_builtins(forgetting.claims)}
    return serialize_forgetting(forgetting) | {name: items for name, items in lists.items() if items}
