"""Open waits as operators see them: listing those of a flow, looking at one, cancelling one.

To cancel a wait is a unit of its own: the profile is written without its stub, and the waiting run is deleted. The run
ends as `cancelled`, which is stored as a run. A wait whose time has come is not cancelled: its run goes on any moment.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from msgspec import Raw, Struct, json, structs

from engine.ports.ids import short_hash
from engine.ports.kinds import RUNS, WAITS
from engine.ports.records import ProfileWrite, RecordDelete, RunRecord, Unit
from engine.ports.resolve import NotFound, resolve_profile
from engine.ports.store import Conflict, Contention, Searches, Store
from engine.ports.waiting_run import WaitingRun
from engine.ports.world import Clock
from engine.profile.document import Profile, WaitStub
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.search.field import Field
from engine.search.query import AllOf, Begins, Is, Node
from engine.tracking.operations.export import found_by
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.settling import BACKOFF, MAX_ATTEMPTS, settled_profile

REASON = "an operator has cancelled it"


class NotCancelled(Exception):
    """The wait has ended, or its time has come. The message says which."""


class OpenWait(Struct, frozen=True, omit_defaults=True):
    """An open wait. `on` are the patterns of the events for which it waits until `due`; `began` is in ms, too.

    `arrived`: such an event has come, and the run goes on any moment.
    """

    id: str
    flow: str
    version: str
    profile: str
    source: str
    event: str
    began: int
    due: int
    on: tuple[str, ...] = ()
    arrived: bool = False


class FailedRun(Struct, frozen=True, omit_defaults=True):
    """A run that had waited and then failed or was cancelled, with the reason."""

    id: str
    flow: str
    version: str
    outcome: str
    event: str
    at: int
    profile: str | None = None
    reason: Any = None


class CancelledWaits(Struct, frozen=True):
    """The waits that were cancelled, as they were; and by id, why others were not."""

    cancelled: list[OpenWait] = []
    failed: dict[str, str] = {}


async def open_waits(store: Searches, flow: str = "", version: str = "") -> AsyncIterator[OpenWait]:
    """Yield the open waits of all flows, or of one, or of a version that begins so. The newest come first.

    One that has just begun or ended may be missing or still there. Raises `Unavailable`.
    """
    assert WAITS.searchable is not None  # noqa: S101
    async for record in found_by(store, WAITS.searchable, AllOf(_conditions(flow, "flow_version", version))):
        yield _of_record(record)


async def failed_runs(store: Searches, flow: str = "", version: str = "") -> AsyncIterator[FailedRun]:
    """Yield the stored runs that had waited and then failed or were cancelled, the newest first.

    Raises `Unavailable`.
    """
    assert RUNS.searchable is not None  # noqa: S101
    ended = Is(Field("outcome"), ("failed", "cancelled"))
    async for record in found_by(store, RUNS.searchable, AllOf((ended, *_conditions(flow, "version", version)))):
        trace = json.decode(record.trace)
        if "run" in trace:  # only runs that have waited say which run they are a stretch of
            yield _of_run(record, trace)


async def open_wait(store: Store, id: str) -> OpenWait:
    """Return one open wait, as its profile has it. Raises `NotFound` and `Unavailable`."""
    record, profile = await _stored(store, id)
    stub = _stub(profile, id)
    if stub is None:
        raise NotFound(f"the wait {id} has ended")
    return structs.replace(_of_record(record), due=stub.due, arrived=stub.arrived)


async def cancel_stored(store: Store, project: Project, clock: Clock, id: str) -> OpenWait:
    """Cancel a wait. Returns it as it was. Raises `NotFound`, `NotCancelled` and `Unavailable`."""

    async def once() -> OpenWait:
        record, _ = await _stored(store, id)
        return await _cancel(
            store, project, clock, record, await settled_profile(store, project, record.profile, clock.now())
        )

    return await _retried(once, id)


async def cancel_served(pipeline: Pipeline, id: str) -> OpenWait:
    """Cancel a wait while a server runs: the profile's units wait for it. Raises as `cancel_stored` does."""
    store, project, clock = pipeline.store, pipeline.project, pipeline.clock

    async def once() -> OpenWait:
        record, profile = await _stored(store, id)
        if profile is None:
            raise NotFound(f"the wait {id} has ended")
        async with pipeline.queues.rewriting(profile.id) as touched:
            profile = await settled_profile(store, project, record.profile, clock.now())
            touched.update(profile.ids if profile is not None else ())
            return await _cancel(store, project, clock, record, profile)

    return await _retried(once, id)


async def cancel_each(ids: Iterable[str], cancel: Callable[[str], Awaitable[OpenWait]]) -> CancelledWaits:
    """Cancel waits one after the other by `cancel`. Raises `Unavailable`."""
    cancelled: list[OpenWait] = []
    failed: dict[str, str] = {}
    for id in ids:
        try:
            cancelled.append(await cancel(id))
        except (NotFound, NotCancelled) as failure:
            failed[id] = str(failure)
    return CancelledWaits(cancelled, failed)


async def _cancel(
    store: Store, project: Project, clock: Clock, record: WaitingRun, profile: Profile | None
) -> OpenWait:
    stub, now = _stub(profile, record.id), clock.now()
    if profile is None or stub is None:
        raise NotFound(f"the wait {record.id} has ended")
    if stub.arrived or stub.due <= max(now, profile.evaluated_at):
        raise NotCancelled(f"the time of the wait {record.id} has come: its run goes on now")
    waits = tuple([each for each in profile.waits if each.id != record.id])
    # It stays due when it was: to be due too early does no harm.
    after = structs.replace(profile, version=profile.version + 1, waits=waits)
    view = profile_view(after, fold(after, project.settings.fields))
    await store.commit(
        Unit(
            profiles=(ProfileWrite(after, profile.version, view, due_moved=False),),
            changes=(RecordDelete(WAITS, record.id, record.version),),
            runs=(_cancelled_run(record, stub, after, now),),
        )
    )
    return structs.replace(_of_record(record), due=stub.due)


def _cancelled_run(record: WaitingRun, stub: WaitStub, profile: Profile, now: int) -> RunRecord:
    document = {
        "event": {"id": record.event},
        "profile": {"id": profile.id, "version": [profile.version - 1, profile.version]},
        "flow": record.flow,
        "version": record.flow_version[:16],
        "outcome": "cancelled",
        "at": now,
        "run": stub.run,
        "reason": REASON,
    }
    return RunRecord(
        id=short_hash("cancelled", record.id),
        event=record.event,
        flow=record.flow,
        version=record.flow_version,
        outcome="cancelled",
        at=now,
        source=record.source,
        profile=record.profile,
        trace=Raw(json.encode(document)),
        session=record.session,
    )


async def _retried(once: Callable[[], Awaitable[OpenWait]], id: str) -> OpenWait:
    for failures in range(1, MAX_ATTEMPTS + 1):
        with suppress(Conflict):
            return await once()
        await asyncio.sleep(BACKOFF.pause(failures, random.random()))  # noqa: S311 - only spreads them
    raise Contention(f"the profile of the wait {id} moved {MAX_ATTEMPTS} times while it was cancelled")


async def _stored(store: Store, id: str) -> tuple[WaitingRun, Profile | None]:
    record = await store.record(WAITS, id)
    if record is None:
        raise NotFound(f"there is no open wait {id}")
    return record, await resolve_profile(store, record.profile)


def _stub(profile: Profile | None, id: str) -> WaitStub | None:
    return next((stub for stub in profile.waits if stub.id == id), None) if profile is not None else None


def _conditions(flow: str, field: str, version: str) -> tuple[Node, ...]:
    of_flow = (Is(Field("flow"), (flow,)),) if flow else ()
    return (*of_flow, Begins(Field(field), version)) if version else of_flow


def _of_record(record: WaitingRun) -> OpenWait:
    return OpenWait(
        id=record.id,
        flow=record.flow,
        version=record.flow_version[:16],
        profile=record.profile,
        source=record.source,
        event=record.event,
        began=record.at,
        due=record.due,
        on=record.on,
    )


def _of_run(record: RunRecord, trace: dict[str, Any]) -> FailedRun:
    return FailedRun(
        id=record.id,
        flow=record.flow,
        version=record.version[:16],
        outcome=record.outcome,
        event=record.event,
        at=record.at,
        profile=record.profile,
        reason=trace.get("reason"),
    )
