"""The background of an application: all that it does beside answering requests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext

from api.draining import background_drain
from api.forgetting import Forgettings
from api.gate import Gate
from api.lookup_upkeep import lookup_upkeep
from api.run_counting import run_counting
from api.scheduling import BackgroundScheduling
from api.sending import BackgroundSending, SendingRules
from api.timers import BackgroundTimers, log_postponed
from api.upkeep import upkeep
from effects.shared_lookups import SharedLookups
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.script_firing import TaskScripts
from engine.tracking.spool.spooling import SpoolingTracker
from engine.tracking.waits.resuming import Resuming


class Background:
    """The background of one application; `running` is its context.

    It takes part in upkeep, and in finding what is due, if it `keeps_up`: one process of a server does. Each process
    sends deliveries, and resumes the runs that its own commits have made ripe.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        gate: Gate,
        lookups: SharedLookups,
        spooling: SpoolingTracker | None,
        rules: SendingRules,
        scripts: TaskScripts,
        *,
        keeps_up: bool,
    ) -> None:
        self._pipeline = pipeline
        self._lookups = lookups
        self._spooling = spooling
        self._keeps_up = keeps_up
        self.forgettings = Forgettings(pipeline)
        self.sending = BackgroundSending(pipeline, rules)
        self.scheduling = BackgroundScheduling(pipeline, scripts, looks=keeps_up, sole=rules.sole)
        self._resuming = Resuming(pipeline, log_postponed)
        self._timers = BackgroundTimers(
            pipeline, searches=keeps_up, sole=rules.sole, visitors=gate.is_busy, held_up=self._spool_has_entries
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do all of it as long as the context is open; at its end, leave the rest to other processes."""
        async with AsyncExitStack() as closing:
            # The last one closes first.
            closing.push_async_callback(self.forgettings.close)
            closing.push_async_callback(self._resuming.close)
            async with (
                run_counting(self._pipeline, drops=self._keeps_up),  # the last to end: the others run flows, too
                upkeep(self._pipeline, self.forgettings) if self._keeps_up else nullcontext(),
                lookup_upkeep(self._lookups, self._pipeline),
                background_drain(self._spooling),
                self.sending.running(),
                self._timers.running(),
                self.scheduling.running(),
            ):
                yield

    def _spool_has_entries(self) -> bool:
        return self._spooling is not None and self._spooling.spool.entries > 0
