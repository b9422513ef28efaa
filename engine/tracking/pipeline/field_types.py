"""The types of fields as one process knows them: declared by the project, or learnt by this or another process.

A learnt type never changes, so what was read once is never read again; only a field without a type is looked up in the
store, or claimed there. A collection that can learn no further field is known as such, and its other fields cost
nothing.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC
from typing import Final

from engine.language.zone import find_zone
from engine.ports.learning import LearningNotes, learn, learnt_collections, learnt_fields
from engine.project.project import Project
from engine.project.source import schema_of
from engine.schema.conform import Types
from engine.schema.schema import MAX_COLLECTIONS, Learnt, LearntField
from engine.tracking.pipeline.time_slices import TimeSlices
from engine.tracking.unit.request import UnitRequest
from engine.tracking.unit.typed import claims_of, typed_events, typing_steps

_NOTHING: Final = Learnt()


class LearntFields:
    """The learnt fields of all collections, as far as this process has read them; they outlast a change of project."""

    def __init__(self, notes: LearningNotes) -> None:
        self._notes = notes
        self._known: dict[str, Learnt] = {}
        self._collections: frozenset[str] | None = None  # the only ones there will ever be
        self._turn = asyncio.Lock()  # claims of one process do not compete with one another

    def of(self, collection: str) -> Learnt:
        """Return the fields that are known here."""
        return self._known.get(collection, _NOTHING)

    async def read(self, collection: str) -> Learnt:
        """Return the fields as they are stored now. Raises `Unavailable`."""
        if not self._is_closed(collection):
            self._keep(collection, await learnt_fields(self._notes, collection))
        return self.of(collection)

    async def claim(self, collection: str, claims: Mapping[str, LearntField]) -> Learnt:
        """Return the fields as they hold once `claims` were made; those for which there is no room are not among them.

        Raises `Unavailable`.
        """
        async with self._turn:
            if self._is_closed(collection) or claims.keys() <= self.of(collection).fields.keys():
                return self.of(collection)
            found = await learn(self._notes, collection, claims)
            if found is not None:
                return self._keep(collection, found)
            names = await learnt_collections(self._notes)
            if len(names) >= MAX_COLLECTIONS:
                self._collections = frozenset(names)
            return _NOTHING

    def _keep(self, collection: str, learnt: Learnt) -> Learnt:
        """Keep what was read, unless another task has read more meanwhile."""
        if len(learnt.fields) > len(self.of(collection).fields):
            self._known[collection] = learnt
        return self.of(collection)

    def _is_closed(self, collection: str) -> bool:
        """Whether nothing can be learnt about a collection that is not known here."""
        if self._collections is not None and collection not in self._collections:
            return True
        return self.of(collection).full


class FieldTypes:
    """Casts the events of those sources of a project that have a schema."""

    def __init__(self, project: Project, learnt: LearntFields, slices: TimeSlices) -> None:
        self._slices = slices
        self._learnt = learnt
        self._schemas = project.schemas
        self._zone = find_zone(project.settings.timezone) or UTC
        self._modes = {source.source: schema_of(source) for source in project.sources.values()}
        self._types: dict[str, tuple[Learnt, Types]] = {}  # by collection, with what they were made from

    @staticmethod
    def used_by(project: Project) -> bool:
        """Whether any source of a project has a schema."""
        return any(schema_of(source) != "none" for source in project.sources.values())

    async def typed(self, request: UnitRequest) -> UnitRequest:
        """Return a request with its events cast, and those rejected that a fixed schema refuses. Raises `Unavailable`.

        It returns the same for the same request, whenever and wherever it is called, unless a fixed schema changes.
        """
        mode = self._modes.get(request.source.source, "none")
        if mode == "none":
            return request
        types = {event.type: self._of(event.type) for event in typed_events(request)}
        fixed = mode == "fixed" and request.source.kind != "secret"
        for collection, claims in claims_of(request, types).items():
            await (self._learnt.read(collection) if fixed else self._learnt.claim(collection, claims))
            types[collection] = self._of(collection)
        return await self._slices.run(typing_steps(request, types, fixed=fixed, zone=self._zone))

    def _of(self, collection: str) -> Types:
        """Return the types of a collection's fields that are known here; a declared one comes before a learnt one."""
        learnt = self._learnt.of(collection)
        cached = self._types.get(collection)
        if cached is not None and cached[0] is learnt:
            return cached[1]
        schema = self._schemas.get(collection)
        types = {name: field.type for name, field in learnt.fields.items()}
        types |= {name: field.type for name, field in schema.fields.items()} if schema is not None else {}
        if types:
            self._types[collection] = learnt, types
        return types
