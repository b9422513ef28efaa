"""Claims of marks: for events whose repeat might be led to another profile.

A mark that nothing else ties to a profile is claimed before the commit, for the document that is to commit it. A unit
that finds a claim for another document uses the `Fence` before it writes the claim over, by compare-and-set.
"""

from engine.ports.records import ProcessedEvent
from engine.ports.store import Conflict
from storage.elasticsearch.commit_plan import CommitPlan
from storage.elasticsearch.document_id import IndexedId, id_of
from storage.elasticsearch.documents import MarkSource
from storage.elasticsearch.fence import Fence
from storage.elasticsearch.loader import MAX_CONFUSED, Loader, overtaken
from storage.elasticsearch.operation import Written, replace
from storage.elasticsearch.writer import Writer
from storage.encoding import encode


class Claims:
    """Claims marks, and writes over the claims of units that will not be committed."""

    def __init__(self, loader: Loader, writer: Writer, fence: Fence) -> None:
        self._loader = loader
        self._writer = writer
        self._fence = fence

    async def claim(self, draft: CommitPlan, on: str) -> None:
        """Claim all marks of a unit for the profile document `on`. Raises `Conflict`."""
        for index, mark in draft.marks:
            await self._claim(draft, index, mark, on)

    async def _claim(self, draft: CommitPlan, index: str, mark: ProcessedEvent, on: str) -> None:
        source = encode(MarkSource(on=on, by=draft.token, profile=on))
        place = index, id_of(mark.source, mark.event)
        for _ in range(MAX_CONFUSED):
            at = await self.free(mark, place, on)
            if await self._writer.one(replace(*place, source, at)) is not None:
                return
        raise overtaken()

    async def free(self, mark: ProcessedEvent, place: IndexedId, on: str | None) -> Written | None:
        """The position of the document that a mark or a claim for `on` may replace; None without one.

        Raises `Conflict`.
        """
        name = mark.source, mark.event
        for _ in range(MAX_CONFUSED):
            known: Written | None = None
            clear = True
            for where, source, at in (await self._loader.mark_sources([name]))[name]:
                if source.doc is not None and self._loader.counts(source):
                    raise Conflict("mark", mark.event)
                if where == place:
                    known = at
                if source.on is not None and source.on != on:
                    clear = clear and await self._fence.stop_profile(source.on)
            if clear:
                return await self._still(name, place, known)
        raise overtaken()

    async def _still(self, name: tuple[str, str], place: IndexedId, known: Written | None) -> Written | None:
        """The position `known`, after another look: a unit that was committed meanwhile has left its mark.

        Raises `Conflict` if it has.
        """
        for where, source, at in (await self._loader.mark_sources([name]))[name]:
            if source.doc is not None and self._loader.counts(source):
                raise Conflict("mark", name[1])
            if where == place and at != known:
                return known  # it has moved: writing over it will fail
        return known
