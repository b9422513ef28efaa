"""Looking at profiles again, while the server runs: those that are due, and all when the segments have changed."""

import structlog

from engine.tracking.operations.reevaluation import Progress, Reevaluation
from engine.tracking.pipeline.tracker import Tracker

SECONDS = 1  # by so much a server is late to notice that time has changed a segment
SHARE = 0.25  # of these are spent at most, for either, as long as there is something to do
MAX_DUE = 500  # profiles each time
MAX_RENEWED = 2_000
UNTIMED_EVERY = 30  # times, where no segment goes by time: then a profile is hardly ever due
TELL_EVERY = 10  # times that it goes on with all profiles, until the log says again how far that is

log = structlog.get_logger("headrace.segments")


class SegmentRefresh:
    """The work itself, each by one call that takes a limited time. Raises `Unavailable`."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._again = Reevaluation(tracker)
        self._turn = 0
        self._told: Progress | None = None
        self._untold = 0
        self._fresh = True

    async def due(self) -> None:
        """Look at profiles whose segments time may have changed."""
        self._turn += 1
        if self._tracker.project.segment_rules.timed or self._turn % UNTIMED_EVERY == 1:
            await self._again.due(SECONDS * SHARE, MAX_DUE)

    async def renew(self) -> None:
        """Go on looking at all profiles, when the segments have changed."""
        if self._fresh:
            self._told, self._fresh = await self._again.progress(), False
        progress = await self._again.renew(SECONDS * SHARE, MAX_RENEWED)
        if progress != self._told:
            self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        """Say in the log how far it is: at the beginning, now and then, and at the end."""
        begun = self._told is None or self._told.version != progress.version
        self._told, self._untold = progress, self._untold + 1
        if progress.of and (begun or progress.ended or self._untold == TELL_EVERY):
            self._untold = 0
            did = "all profiles have been" if progress.ended else "profiles are being"
            numbers = {"looked": progress.looked, "of": progress.of, "changed": progress.changed}
            log.info(f"segments have changed: {did} looked at", **numbers)
