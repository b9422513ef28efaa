"""Re-evaluating all profiles while the server runs, when the segments have changed."""

import structlog

from engine.tracking.operations.reevaluation import Reevaluation, SegmentProgress, progress_of
from engine.tracking.pipeline.pipeline import Pipeline

SECONDS = 1  # between two turns
SHARE = 0.25  # of that time is spent at most
MAX_RENEWED = 2_000  # profiles in a turn
LOG_EVERY = 10  # turns of re-evaluating all profiles, between two lines in the log

log = structlog.get_logger("headrace.segments")


class SegmentRefresh:
    """The work itself, by calls that each take a limited time. Raises `Unavailable`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._again = Reevaluation(pipeline)
        self._logged: SegmentProgress | None = None
        self._turns_unlogged = 0
        self._started = False
        self._first: str | None = None  # the version of the segments with which a new store starts

    async def renew(self) -> None:
        """Continue to re-evaluate all profiles, when the segments have changed."""
        if not self._started:
            self._logged = await progress_of(self._pipeline.store)
            self._first = self._pipeline.project.segment_rules.version if self._logged is None else None
            self._started = True
        progress = await self._again.renew(SECONDS * SHARE, MAX_RENEWED)
        if progress != self._logged:
            self._log(progress)

    def _log(self, progress: SegmentProgress) -> None:
        """Log the progress: at the start, at intervals, and at the end; nothing unless the segments have changed."""
        started = self._logged is None or self._logged.version != progress.version
        self._logged, self._turns_unlogged = progress, self._turns_unlogged + 1
        if progress.version == self._first or not self._pipeline.project.segments:
            return
        if progress.of and (started or progress.ended or self._turns_unlogged == LOG_EVERY):
            self._turns_unlogged = 0
            profiles = "all profiles were" if progress.ended else "profiles are being"
            numbers = {"looked": progress.looked, "of": progress.of, "changed": progress.changed}
            log.info(f"{profiles} evaluated after a change to segments", **numbers)
