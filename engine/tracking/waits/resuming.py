"""Resuming: a run that has waited goes on, in a unit of its own without a sender.

A wait is open while its stub is in the profile's document. It is resumed in these steps, by any process:

1. `resume` loads the profile and finds the stubs that are ripe: their time has come, or an event has arrived.
2. For each, in the order of `due`: the records of the run and of the event are read, and the flow's version is found.
   A record that is not there may be one that a unit has still to write: loading the profile finishes that. If it is not
   there then, the run is lost.
3. A unit runs the next stretch, under the lock of the profile's queue. It looks again whether the stub is there and
   ripe; the pipeline commits the profile without the stub, or with that of the next wait, together with all that the
   stretch has done and the deletion of the records.

**Once.** The profile's version decides: of two processes that resume one run, one commits, and the other finds no stub
when it tries again. All draw the same ids, since the seed is made from the run and its count.

**Failures.**

- A crash before the commit leaves the stub as it was; whoever looks at due profiles next resumes it.
- The store is away: `resume` raises `Unavailable`, and the stub is still there.
- The profile moves in every attempt of the pipeline: the stub's `due` moves on by `LATER_MS`, which is logged, so that
  one profile does not hold up the others.
- A flow that is gone ends the run as `cancelled`; one that no longer compiles, a source that is gone, and a lost record
  end it as `failed`, each with its reason.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import structs

from engine.ports.kinds import ARRIVALS, WAITS
from engine.ports.records import Changes, RecordWrite
from engine.ports.store import Contention, Unavailable
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.profile.document import Profile, WaitStub
from engine.project.source import SYSTEM_SOURCE, Source
from engine.tracking.answer.outcome import UNCHANGED
from engine.tracking.intake.payload import Intake, Options
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.request import UnitRequest
from engine.tracking.unit.resumed import Resumed
from engine.tracking.unit.waits import arrival_id

SECONDS: Final = 600  # that a resumed run may take
LATER_MS: Final = 5_000  # by which a run is put off whose unit conflicts too often
SIDE_BY_SIDE: Final = 16  # profiles whose runs are resumed right after a commit
PLAIN: Final = Options()

ReportPostponed = Callable[[WaitStub], None]


def ignore_postponed(_stub: WaitStub) -> None:
    """Report nothing."""


async def resume(
    pipeline: Pipeline, id: str, report: ReportPostponed = ignore_postponed, options: Options = PLAIN
) -> int:
    """Resume the runs of a profile that are ripe now, in the order of their times. Returns how many went on or ended.

    `id` is any of the profile's ids. Each wait that is ripe is resumed once; one that begins meanwhile and is ripe at
    once (`wait: 0s`) as well. `report` is called with the stub of a run that was postponed. Raises `Unavailable`.
    """
    tried: set[str] = set()
    done = 0
    while (stub := await _next_ripe(pipeline, id, tried)) is not None:
        tried.add(stub.id)
        done += await _resume_one(pipeline, stub, report, options)
    return done


class Resuming:
    """Resumes runs in the background as soon as a commit of this process has made them ripe; `close` it at the end.

    A crash leaves them to the timers.
    """

    def __init__(self, pipeline: Pipeline, report: ReportPostponed = ignore_postponed) -> None:
        self._pipeline = pipeline
        self._report = report
        self._tasks: set[asyncio.Task[None]] = set()
        self._side_by_side = asyncio.Semaphore(SIDE_BY_SIDE)
        pipeline.listeners.append(self.committed)

    def committed(self, changes: Changes) -> None:
        """Resume the runs that these changes of records, which are stored now, have made ripe."""
        now = self._pipeline.clock.now()
        for id in dict.fromkeys([id for change in changes if (id := _ripened(change, now))]):
            task = asyncio.create_task(self._resume(id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait until all is resumed that is ripe by now, and all that this makes ripe."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Break off what is under way; the timers resume it."""
        self._pipeline.listeners.remove(self.committed)
        for task in self._tasks:
            task.cancel()
        await self.idle()

    async def _resume(self, id: str) -> None:
        async with self._side_by_side:
            try:
                await resume(self._pipeline, id, self._report)
            except Unavailable as failure:
                self._pipeline.report(failure)


def _ripened(change: object, now: int) -> str:
    """Return an id of the profile one of whose waits a change has made ripe; empty if it has not."""
    if not isinstance(change, RecordWrite) or change.kind not in (WAITS, ARRIVALS):
        return ""
    record = change.record
    if isinstance(record, WaitingRun) and record.due <= now:
        return record.profile
    return record.profile if isinstance(record, Arrival) else ""


async def _next_ripe(pipeline: Pipeline, id: str, tried: set[str]) -> WaitStub | None:
    """Return the ripe wait of a profile that is due first, as it is stored, but for those in `tried`."""
    now = pipeline.clock.now()
    known = await pipeline.loading.stored(id, now)
    if known is None:
        return None
    ripe = _ripe(known.profile, now)
    return next((stub for stub in ripe if stub.id not in tried), None)


def _ripe(profile: Profile, now: int) -> list[WaitStub]:
    at = max(now, profile.evaluated_at)
    ripe = [stub for stub in profile.waits if stub.arrived or stub.due <= at]
    return sorted(ripe, key=lambda stub: (stub.due, stub.began, stub.run))


async def _resume_one(pipeline: Pipeline, stub: WaitStub, report: ReportPostponed, options: Options) -> bool:
    """Resume the run of one wait. Returns whether it went on or ended; False if another process was first."""
    resumed = await _read(pipeline, stub)
    request = _request(pipeline, resumed, options)
    try:
        return await pipeline.process(request) is not UNCHANGED
    except Contention:
        later = structs.replace(resumed, postponed_to=pipeline.clock.now() + LATER_MS)
        await pipeline.process(structs.replace(request, resumed=later))
        report(stub)
        return False


async def _read(pipeline: Pipeline, stub: WaitStub) -> Resumed:
    """Return the run of a wait, with its event and its flow."""
    record = await pipeline.store.record(WAITS, stub.id)
    arrival = await _arrival(pipeline, stub)
    if record is None or (stub.arrived and arrival is None):
        await pipeline.resolve(stub.of, pipeline.clock.now())  # it finishes what units have still to write
        record = await pipeline.store.record(WAITS, stub.id)
        arrival = await _arrival(pipeline, stub)
    if record is None or (stub.arrived and arrival is None):
        return Resumed(stub, record, arrival)
    if _source(pipeline, record) is None:
        return Resumed(stub, record, arrival, reason=f"the project has no source `{record.source}` any more")
    found = await pipeline.flow_versions.find(record.flow, record.flow_version)
    if not isinstance(found, str):
        return Resumed(stub, record, arrival, found)
    is_gone = pipeline.flow_versions.is_gone(record.flow)
    return Resumed(stub, record, arrival, outcome="cancelled" if is_gone else "failed", reason=found)


async def _arrival(pipeline: Pipeline, stub: WaitStub) -> Arrival | None:
    return await pipeline.store.record(ARRIVALS, arrival_id(stub.id)) if stub.arrived else None


def _source(pipeline: Pipeline, record: WaitingRun) -> Source | None:
    own = SYSTEM_SOURCE if record.source == SYSTEM_SOURCE.source else None
    return pipeline.project.sources.get(record.source, own)


def _request(pipeline: Pipeline, resumed: Resumed, options: Options) -> UnitRequest:
    """Return the unit that resumes a run; each attempt in each process is the same but for its time."""
    record, clock = resumed.record, pipeline.clock
    source = (_source(pipeline, record) if record is not None else None) or SYSTEM_SOURCE
    intake = Intake(source=source.source, profile=resumed.stub.of, options=options)
    deadline = clock.ticks() + SECONDS
    return UnitRequest(source, intake, (), clock.now(), resumed.seed, deadline, {}, resumed=resumed)
