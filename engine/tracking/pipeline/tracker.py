"""The tracker: it takes a payload, has the pipeline process its units, and answers the sender."""

from typing import Literal, Protocol

from msgspec import Struct

from engine.ports.store import Unavailable
from engine.project.source import Source
from engine.tracking.answer.answer import Answer, answer_of, nothing_accepted
from engine.tracking.answer.outcome import FailedUnit, UnitResult
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.request import UnitRequest, units_of, with_session


class Readiness(Struct, frozen=True):
    """Whether payloads can be taken now, and the reason if not at once.

    `entries` is the number of payloads that wait in the spool; None without a spool.
    """

    status: Literal["ready", "spooling", "not ready"]
    reason: str | None
    entries: int | None = None


class PayloadTracker(Protocol):
    """A tracker as the web routes see it, with a spool or without."""

    pipeline: Pipeline

    async def start(self) -> None:
        """Get ready for the first payload. Raises `Unavailable`."""

    async def readiness(self) -> Readiness:
        """Return whether payloads can be taken now."""

    async def track(self, intake: Intake, source: Source) -> Answer:
        """Do what a payload asks for, durably. Raises `Refusal` or `Unavailable`."""


class Tracker:
    """A tracker that acknowledges a payload once the store has it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    async def start(self) -> None:
        """Get ready for the first payload. Raises `Unavailable`."""
        await self.pipeline.start()

    async def readiness(self) -> Readiness:
        """Return whether payloads can be taken now."""
        reason = await self.pipeline.store.ready()
        if reason is not None:
            self.pipeline.report(Unavailable(reason))
        return Readiness("ready" if reason is None else "not ready", reason)

    async def track(self, intake: Intake, source: Source) -> Answer:
        """Do what a payload asks for, durably. Raises `Refusal` or `Unavailable`."""
        pipeline = self.pipeline
        intake = with_session(intake, source, pipeline.project.settings.keys, pipeline.loading.secret, pipeline.new_id)
        request = UnitRequest.of(intake, source, pipeline.clock, pipeline.new_id, pipeline.project.settings)
        return answer_of(request, *await process_payload(pipeline, request))


async def process_payload(pipeline: Pipeline, request: UnitRequest) -> tuple[list[UnitResult], list[FailedUnit]]:
    """Process the units of one payload, one after another.

    Returns the results, and the units that failed after another one was stored. Raises `Unavailable` or `Refusal` when
    the first unit fails, and `Refusal` when no event was acceptable.
    """
    if not request.events:
        await pipeline.reject(request)
        raise nothing_accepted(request.intake)
    results: list[UnitResult] = []
    failed: list[FailedUnit] = []
    for unit in units_of(request):
        try:
            results.append(await pipeline.process(unit))
        except (Unavailable, Refusal) as error:
            if not results:
                raise
            failed.append(FailedUnit(unit, error))
    return results, failed
