"""Spooling: a tracker that keeps payloads in a spool while its store is away, and drains it when the store is back.

A payload goes to the store as it would without a spool. If the store cannot take it, or if earlier ones still wait,
its units are put in the spool; the 2xx then means the spool.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from engine.ports.ids import derived_id
from engine.ports.spool import SpoolEntry
from engine.ports.store import Contention, TooLarge, Unavailable
from engine.project.source import Source
from engine.tracking.answer.answer import Answer, nothing_accepted, queued, queued_answer
from engine.tracking.answer.outcome import FailedUnit, UnitResult, answer_of
from engine.tracking.intake.admission import authority
from engine.tracking.intake.payload import Intake
from engine.tracking.pipeline.readiness import Readiness
from engine.tracking.spool.draining import WINDOW, DrainingTracker
from engine.tracking.spool.entry import pack, with_event_ids
from engine.tracking.unit.request import UnitRequest, units_of
from engine.tracking.unit.visibility import is_all_own

# Seconds that a payload waits while units are drained, before it is put behind them: for the last ones, so that it need
# not wait in the spool at all; else a little, so that under load the spool becomes empty some day.
LAST_UNITS_SECONDS = 1.0
DRAIN_SECONDS = 0.25
BEHIND = "earlier payloads wait for the store"


class SpoolingTracker(DrainingTracker):
    """A tracker with a spool."""

    async def start(self) -> None:
        """As any tracker; but if the store is away, begin without it."""
        self.ledger.queue(self.spool.events)
        self.loading.secret = await self.spool.secret() or b""
        with suppress(Unavailable):
            await self._meet()
        if self.spool.entries or not self._met:
            self.waits.set()

    async def readiness(self) -> Readiness:
        """What health tells."""
        away, entries = await self.store.ready(), self.spool.entries
        if away is None and self._met and not entries:
            return Readiness("ready", None, 0)
        reason = f"the store is away: {away}" if away is not None else BEHIND
        cannot = await self.spool.ready() if self.loading.secret else "the store's key is not known here yet"
        if cannot is not None:
            return Readiness("not ready", f"{reason}; {cannot}", entries)
        return Readiness("spooling", reason, entries)

    # ---- taking payloads --------------------------------------------------------------------------------------------

    async def track(self, intake: Intake, source: Source) -> Answer:
        """Do what a payload asks for, or keep it until the store is back. Raises `Refusal` or `Unavailable`."""
        request = self._request(with_event_ids(self._with_session(intake, source), self.new_id), source)
        reason, tried = BEHIND, await self._clear()
        if tried:
            try:
                parts, missed = await self._at_once(request)
            except (Contention, TooLarge):
                raise
            except Unavailable as away:
                reason = _away(away)
            else:
                return await self._with_rest(request, parts, missed)
        told = self._promised(request)
        await self._keep(units_of(request), told, tried=tried)
        if not request.events:
            raise nothing_accepted(request.intake)
        return queued_answer(request.intake, source, told, request.events, reason)

    async def _clear(self) -> bool:
        """Whether nothing waits that this payload would have to queue behind."""
        if self.spool.entries and self._door is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_UNITS_SECONDS if self.spool.entries <= WINDOW else DRAIN_SECONDS):
                    await self._door.wait()
        return self._met and not self.spool.entries

    async def _at_once(self, request: UnitRequest) -> tuple[list[UnitResult], list[FailedUnit]]:
        if not request.events:
            await self._reject(request)
            raise nothing_accepted(request.intake)
        return await self._one_by_one(units_of(request))

    async def _with_rest(self, request: UnitRequest, parts: list[UnitResult], missed: list[FailedUnit]) -> Answer:
        """The answer when some units of a payload are done; those that the store could not take are kept."""
        late = [
            (one.request, one.error)
            for one in missed
            if isinstance(one.error, Unavailable) and not isinstance(one.error, Contention | TooLarge)
        ]
        try:
            await self._keep([unit for unit, _ in late], None, tried=True)
        except Unavailable:
            late = []  # they are told as errors of their events
        kept = {unit.seed for unit, _ in late}
        answer = answer_of(request, parts, [one for one in missed if one.request.seed not in kept])
        if "debugging" in answer.body:
            for unit, error in late:
                answer.body["debugging"]["execution"] |= queued(unit.events, _away(error))
        return answer

    async def _keep(self, units: Sequence[UnitRequest], told: str | None, *, tried: bool) -> None:
        if not units:
            return
        entries = [pack(unit, self._name, told, tried=tried) for unit in units]
        await asyncio.shield(self._put(entries))  # what is kept has to be counted and drained, whoever waits for it

    async def _put(self, entries: Sequence[SpoolEntry]) -> None:
        await self.spool.put(entries)
        self.ledger.queue(sum(entry.events for entry in entries))
        self.waits.set()

    def _promised(self, request: UnitRequest) -> str | None:
        """The profile id that a sender can be told without the store: one that is known here, or the derived one."""
        intake = request.intake
        if intake.profile_less:
            return None
        if not self.loading.secret:
            raise Unavailable("the store is away, and its key is not known here yet", retry_after=5)
        session = self.cache.sessions.get((intake.source, intake.session or ""))
        acting = session.profile if session is not None else None
        if acting is None and intake.profile is not None and self.cache.profile(intake.profile) is not None:
            acting = intake.profile
        if acting is None:
            acting = derived_id(self.loading.secret, intake.source, intake.session or "")
        known = self.cache.profile(acting)
        if known is None:
            return acting
        profile = known.profile
        return profile.id if authority(request.source) == "trust" or is_all_own(profile, acting) else acting


def _away(away: Unavailable) -> str:
    return f"the store is away: {away.reason}"
