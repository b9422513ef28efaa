"""The pipelines of imports: one without flows for facts about the past, beside that of the server."""

from typing import Final

from msgspec import structs

from engine.tracking.importing.importing import Importing
from engine.tracking.pipeline.foreign_processing import Slots
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.unit.cache import ProfileCache

PROFILE_BYTES: Final = 16 << 20  # of cached profiles: the rows of a file come in the order of their persons or in none
SESSION_BYTES: Final = 1 << 20


class ImportPipelines:
    """Importing with and without flows, on the store of one pipeline. Their units are as those of another process."""

    def __init__(self, pipeline: Pipeline, slots: Slots) -> None:
        self._pipeline = pipeline
        self._slots = slots
        self._history: Pipeline | None = None

    async def importing(self, *, flows: bool) -> Importing:
        """Return what imports rows. Raises `Unavailable`."""
        if flows:
            return Importing(Tracker(self._pipeline), self._slots, history=False)
        if self._history is None or self._history.project.sources is not self._pipeline.project.sources:
            self._history = await self._started()
        return Importing(Tracker(self._history), self._slots, history=True)

    async def _started(self) -> Pipeline:
        given = self._pipeline
        project = structs.replace(given.project, flows=())
        history = Pipeline(
            project,
            given.store,
            given.driver.performer,
            given.clock,
            given.new_id,
            given.ledger,
            imports=True,
            cache=ProfileCache(PROFILE_BYTES, SESSION_BYTES),
        )
        history.report, history.report_apart = given.report, given.report_apart
        await history.start()
        return history
