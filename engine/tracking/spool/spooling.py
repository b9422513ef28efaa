"""Spooling: a tracker that puts payloads into a spool while its store is away.

A payload is processed as without a spool first. If the store is unavailable, or earlier payloads still wait, its units
are put into the spool; the sender's 2xx then means that the spool has them. The drain brings them to the store.

States
------
    ready        nothing waits, and the store answers: payloads are processed at once
    spooling     the store is away or earlier payloads wait: payloads are put behind them
    not ready    neither the store nor the spool can take a payload: senders get 503

A payload that comes while a pass of the drain is under way waits for its end, at most `LAST_UNITS_SECONDS` or
`DRAIN_SECONDS`, before it is spooled.

Invariants
----------
* Payloads keep their order: none is processed at once while an earlier one waits in the spool.
* Every event in the spool has an id, so it takes effect once, however often it is tried.
* A sender learns only a profile id that will lead to its profile: one that is cached here, or the one that is derived
  from its session. If the profile turns out to have another id, the drain makes the first one lead there.

Failures
--------
* The store fails after some units of a payload were stored: the others are spooled, and the answer says so.
* `Contention` and `TooLarge` are not spooled: the store is there, and would refuse the unit again.
* The spool is full, or its disk fails or hangs: the sender gets 503, and nothing is acknowledged. What a hanging disk
  takes later is counted and drained all the same.
* The store's secret is not known here: no id can be derived, so the sender gets 503. That is only so before this
  machine has reached the store for the first time.
* Cancelled while units are put into the spool: they are put there and counted all the same.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from engine.ports.ids import derived_id
from engine.ports.spool import Spool, SpoolEntry, SpoolUnavailable
from engine.ports.store import Contention, TooLarge, Unavailable
from engine.profile.linking import all_own
from engine.project.source import Source
from engine.tracking.answer.answer import Answer, answer_of, nothing_accepted
from engine.tracking.answer.outcome import FailedUnit, UnitResult, late_result, queued_result
from engine.tracking.intake.admission import authority
from engine.tracking.intake.payload import Intake
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Readiness, process_payload
from engine.tracking.spool.draining import WINDOW, Drain
from engine.tracking.spool.entry import pack, with_event_ids
from engine.tracking.unit.request import UnitRequest, units_of, with_session
from engine.tracking.unit.sender import sender_of

# How long a new payload waits for a pass of the drain before it is spooled: longer when the drain is almost done, so
# that most payloads bypass the spool; briefly otherwise, so that the drain can catch up under load.
LAST_UNITS_SECONDS = 1.0
DRAIN_SECONDS = 0.25
SPOOL_SECONDS = 2.0  # until a spool that does not answer counts as failed
BEHIND = "earlier payloads wait for the store"
SILENT = "the spool does not answer: its disk hangs"


class SpoolingTracker:
    """A tracker that acknowledges a payload once the store or the spool has it."""

    def __init__(self, pipeline: Pipeline, spool: Spool) -> None:
        self.pipeline = pipeline
        self.spool = spool
        self.drain = Drain(pipeline, spool)

    async def start(self) -> None:
        """Get ready for the first payload; if the store is away, without it."""
        self.pipeline.ledger.start_queue(self.spool.events)
        self.pipeline.loading.secret = await self.spool.secret() or b""
        with suppress(Unavailable):
            await self.drain.reach_store()
        if self.spool.entries or not self.drain.store_reached:
            self.drain.waits.set()

    async def readiness(self) -> Readiness:
        """Return whether payloads can be taken now."""
        away, entries = await self.pipeline.store.ready(), self.spool.entries
        if away is not None:
            self.pipeline.report(Unavailable(away))
        cannot = await self._spool_obstacle()
        if away is None and self.drain.store_reached and not entries:
            return Readiness("ready", cannot, 0)
        reason = f"the store is away: {away}" if away is not None else BEHIND
        if cannot is not None:
            return Readiness("not ready", f"{reason}; {cannot}", entries)
        return Readiness("spooling", reason, entries)

    async def _spool_obstacle(self) -> str | None:
        """Return the reason why the spool cannot take payloads; None if it can."""
        if not self.pipeline.loading.secret:
            return "the store's key is not known here yet"
        try:
            async with asyncio.timeout(SPOOL_SECONDS):
                reason = await self.spool.ready()
        except TimeoutError:
            reason = SILENT
        if reason is not None:
            self.pipeline.report(SpoolUnavailable(reason))
        return reason

    async def track(self, intake: Intake, source: Source) -> Answer:
        """Do what a payload asks for, or keep it until the store is back. Raises `Refusal` or `Unavailable`."""
        new_id, secret = self.pipeline.new_id, self.pipeline.loading.secret
        intake = with_session(intake, source, self.pipeline.project.settings.keys, secret, new_id)
        intake = with_event_ids(intake, new_id)
        request = UnitRequest.of(intake, source, self.pipeline.clock, new_id, self.pipeline.project.settings)
        reason, tried = BEHIND, await self._nothing_waits()
        if tried:
            try:
                results, failed = await process_payload(self.pipeline, request)
            except (Contention, TooLarge):
                raise
            except Unavailable as away:
                self.pipeline.report(away)
                reason = _away(away)
            else:
                return await self._partly_spooled(request, results, failed)
        provisional = self._provisional_id(request)
        await self._spool(units_of(request), provisional, tried=tried)
        if not request.events:
            raise nothing_accepted(request.intake)
        return answer_of(request, [queued_result(request, provisional, reason)])

    async def _nothing_waits(self) -> bool:
        """Whether no payload waits that this one would have to queue behind; a pass may just be ending."""
        if self.spool.entries and self.drain.pass_ended is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_UNITS_SECONDS if self.spool.entries <= WINDOW else DRAIN_SECONDS):
                    await self.drain.pass_ended.wait()
        return self.drain.store_reached and not self.spool.entries

    async def _partly_spooled(
        self, request: UnitRequest, results: list[UnitResult], failed: list[FailedUnit]
    ) -> Answer:
        """Spool those units of a payload that the store could not take after others. Returns the answer for all."""
        late = [
            (one.request, one.error)
            for one in failed
            if isinstance(one.error, Unavailable) and not isinstance(one.error, Contention | TooLarge)
        ]
        for _, away in late:
            self.pipeline.report(away)
        try:
            await self._spool([unit for unit, _ in late], None, tried=True)
        except Unavailable as full:
            self.pipeline.report(full)
            late = []  # they are reported as errors of their events
        kept = {unit.seed for unit, _ in late}
        waiting = [late_result(unit, _away(error)) for unit, error in late]
        return answer_of(request, [*results, *waiting], [one for one in failed if one.request.seed not in kept])

    async def _spool(self, units: Sequence[UnitRequest], provisional: str | None, *, tried: bool) -> None:
        if not units:
            return
        entries = [pack(unit, self.drain.name, provisional, tried=tried) for unit in units]
        try:
            async with asyncio.timeout(SPOOL_SECONDS):
                await asyncio.shield(self._put(entries))  # a spooled unit must be counted and drained in any case
        except TimeoutError:
            raise SpoolUnavailable(SILENT) from None

    async def _put(self, entries: Sequence[SpoolEntry]) -> None:
        await self.spool.put(entries)
        self.pipeline.ledger.queue(sum(entry.events for entry in entries))
        self.drain.waits.set()

    def _provisional_id(self, request: UnitRequest) -> str | None:
        """Return the profile id that a sender can be answered without the store: a cached one, or the derived one."""
        intake, cache, secret = request.intake, self.pipeline.cache, self.pipeline.loading.secret
        if intake.profile_less:
            return None
        if not secret:
            raise Unavailable("the store is away, and its key is not known here yet", retry_after=5)
        sender = sender_of(intake, request.source, None, self.pipeline.project.settings.keys, secret)
        session = cache.sessions.get((intake.source, intake.session or ""))
        acting_id = sender.id if sender is not None else session.profile if session is not None else None
        if acting_id is None and intake.profile is not None and cache.profile(intake.profile) is not None:
            acting_id = intake.profile
        if acting_id is None:
            acting_id = derived_id(secret, intake.source, intake.session or "")
        known = cache.profile(acting_id)
        if known is None:
            return acting_id
        profile = known.profile
        return profile.id if authority(request.source) == "trust" or all_own(profile, acting_id) else acting_id


def _away(away: Unavailable) -> str:
    return f"the store is away: {away.reason}"
