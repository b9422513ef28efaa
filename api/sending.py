"""Sending deliveries in the background, as long as the application runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog
from msgspec import Struct

from api.metrics.worked import worked
from effects.couriers import Couriers, Track
from effects.ids import new_id
from engine.ports.courier import Courier, DeliveryResult
from engine.ports.outbox import StoredDelivery
from engine.ports.store import Unavailable
from engine.sending.answers import no_answer
from engine.sending.full_targets import COUNT_SECONDS, full_targets
from engine.sending.sender import Reports
from engine.sending.sending import OpenBreaker, Process, Sending, Work
from engine.tracking.operations.own_events import track_own
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.families import ATTEMPTS
from engine.tracking.unit.meter import Meter

RESTART_SECONDS: Final = 5.0  # after a bug has ended a background work
BUG: Final = "an error in Headrace: the log of the server says which"

log = structlog.get_logger("headrace.sending")


class SendingRules(Struct, frozen=True):
    """How a process takes part in sending.

    `sole`: the store serves one process at a time. `courier` replaces the network, `track` the tracking of own events.
    """

    sole: bool = False
    courier: Courier | None = None
    track: Track | None = None


class BackgroundSending:
    """The sending of one application; `running` is its context."""

    def __init__(self, pipeline: Pipeline, rules: SendingRules) -> None:
        self._pipeline = pipeline
        self._rules = rules
        self._sending: Sending | None = None

    def open_breakers(self) -> list[OpenBreaker]:
        """Return the targets to which this process sends nothing now, since they fail."""
        return self._sending.open_breakers() if self._sending is not None else []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send as long as the context is open; at its end, leave the rest to other processes."""
        pipeline, rules = self._pipeline, self._rules
        track = rules.track or partial(track_own, pipeline)
        couriers = Couriers(pipeline.project.targets, track, pipeline.clock)
        process = Process(
            store=pipeline.store,
            courier=_Guarded(rules.courier or couriers, pipeline.ledger.meter),
            clock=pipeline.clock,
            holder=new_id(),
            reports=Reports(pipeline.report, _log_opened, _log_closed),
            sole=rules.sole,
        )
        self._sending = sending = Sending(pipeline.project, process)
        pipeline.listeners.append(sending.committed)
        works = {**sending.works, "counting what waits": self._count}
        tasks = [asyncio.create_task(_endless(name, work)) for name, work in works.items()]
        try:
            yield
        finally:
            pipeline.listeners.remove(sending.committed)
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await sending.close()
            await couriers.close()

    async def _count(self) -> None:
        """Stop new deliveries to targets for which too many wait, as long as they do."""
        pipeline = self._pipeline
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            project, before = pipeline.project, pipeline.full_targets
            try:
                full = await full_targets(
                    pipeline.store, project.targets, project.settings.most_open, pipeline.clock.now()
                )
            except Unavailable as unavailable:
                pipeline.report(unavailable)
                continue
            pipeline.full_targets = full
            worked(pipeline)("counting what waits")
            for target in sorted(full - before):
                log.error("too many deliveries wait for a target: flows cannot write more", target=target)


class _Guarded:
    """A courier behind which no bug holds up a queue: the delivery is tried again later, and given up some day."""

    def __init__(self, courier: Courier, meter: Meter) -> None:
        self._courier = courier
        self._meter = meter

    async def send(self, delivery: StoredDelivery) -> DeliveryResult:
        """Make one attempt, and count it."""
        try:
            result = await self._courier.send(delivery)
        except Exception:  # the edge of the queue's work
            log.exception("an attempt at a delivery failed by an error", delivery=delivery.id, target=delivery.target)
            result = no_answer(BUG, health="unknown")
        self._meter.cell(ATTEMPTS, delivery.target, result.verdict).add()
        return result


async def _endless(name: str, work: Work) -> None:
    """Do endless work; begin it again if an error ends it."""
    while True:
        try:
            await work()
        except Exception:  # the edge of a task: a bug must not end it for good
            log.exception("background work failed and begins again", work=name)
            await asyncio.sleep(RESTART_SECONDS)


def _log_opened(target: str, seconds: float, reason: str) -> None:
    log.warning("a target fails: nothing is sent to it for a while", target=target, seconds=seconds, reason=reason)


def _log_closed(target: str) -> None:
    log.info("a target works again", target=target)
