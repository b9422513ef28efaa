"""The documents beside the one that commits a unit: profiles that are merged or set apart, and tombstones.

What is living among them is frozen before the commit, at the version that the unit read: it becomes an open tombstone
that leads to the profile that commits. So no other unit can be committed with it, and what the entry lists is at an
exact position: what is frozen, the tombstones that the unit redirects, and the open ones for which the profile stood
that the unit read. Tombstones of ids that come with a merged profile are redirected, too, so that chains stay short.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from engine.ports.records import ProfileWrite
from engine.ports.store import Conflict
from engine.profile.document import new_profile
from storage.elasticsearch.commit_plan import CommitPlan, UnitProfiles
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import Position, ProfileSource, text_of
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.pending_writes import Redirect, SetApart
from storage.elasticsearch.tombstone_chain import ChainLink
from storage.elasticsearch.writer import Writer
from storage.encoding import encode


class Listed(Struct, frozen=True):
    """The tombstones and profiles that the entry is to list."""

    redirects: tuple[Redirect, ...] = ()
    apart: tuple[SetApart, ...] = ()


class SeenDocuments(Struct, frozen=True):
    """The documents beside the committing one as they were read; `taken` are tombstones that no write names."""

    others: Sequence[tuple[ProfileWrite, ChainLink]] = ()
    taken: Sequence[tuple[str, ChainLink]] = ()  # with the id that each is to lead to


NOTHING_SEEN = SeenDocuments()


class Tombstones:
    """Reads these documents, freezes those that are living, and lists what is to be written."""

    def __init__(self, loader: Loader, writer: Writer, names: Names) -> None:
        self._loader = loader
        self._writer = writer
        self._names = names

    async def seen(self, profiles: UnitProfiles, known: frozenset[str], plan: CommitPlan) -> SeenDocuments:
        """Read the documents. `known` are the ids of the stored profile that commits. Raises `Conflict`."""
        homes = profiles.homes
        written = [write.profile.id for write in profiles.others]
        new = [id for id in homes if id not in known and id != profiles.main.profile.id and id not in written]
        if not written and not new:
            return NOTHING_SEEN
        nodes = await asyncio.gather(*[self._loader.node(id) for id in (*written, *new)])
        others = list(zip(profiles.others, nodes, strict=False))
        for write, there in others:
            if not _is_own(there, plan) and there.version != write.expected:
                raise Conflict("profile", write.profile.id)
        taken = []
        for there in nodes[len(written) :]:
            if there.source is not None and there.source.living:
                raise Conflict("profile", there.id)
            if there.leads is not None and (there.is_open or there.leads != homes[there.id]):
                taken.append((homes[there.id], there))
        return SeenDocuments(others, taken)

    async def freeze(self, seen: SeenDocuments, into: str, plan: CommitPlan) -> Listed:
        """Freeze what is living, or not there yet; returns what the entry is to list. Raises `Conflict`."""
        living = [(write, there) for write, there in seen.others if there.leads is None]
        operations = [
            replace(self._names.profiles, id_of(there.id), encode(_frozen(write, there, into, plan)), there.at)
            for write, there in living
        ]
        for (write, there), outcome in zip(living, await self._writer.send(operations), strict=True):
            self._loader.memory.drop(there.id)
            if outcome is None and not _is_own(await self._loader.node(there.id), plan):
                raise Conflict("profile", write.profile.id)
        redirects = [
            Redirect(there.id, there.position, home, there.version, (there.source and there.source.created) or 0)
            for home, there in seen.taken
        ]
        apart = []
        for write, there in seen.others:
            over = (write.profile.version, 0) if there.leads is None else there.position
            if write.profile.merged_into is None:
                apart.append(SetApart(write.profile, over, write.view))
            else:
                redirects.append(_redirect(write, over, write.profile.merged_into))
        return Listed(tuple(redirects), tuple(apart))


def _is_own(there: ChainLink, plan: CommitPlan) -> bool:
    """Whether this unit has frozen a document."""
    return there.is_open and there.source is not None and there.source.by == plan.token


def _redirect(write: ProfileWrite, over: Position, into: str) -> Redirect:
    return Redirect(write.profile.id, over, into, write.profile.version, write.profile.created)


def _frozen(write: ProfileWrite, there: ChainLink, into: str, plan: CommitPlan) -> ProfileSource:
    return ProfileSource(
        id=there.id,
        version=write.profile.version,
        merged_into=into,
        open=True,
        frozen=there.source.doc if there.source is not None else _empty(there.id, plan),
        by=plan.token,
        created=write.profile.created,
        recent=there.source.recent if there.source is not None else [],
        unfinished=plan.stamp,
    )


def _empty(id: str, plan: CommitPlan) -> str | None:
    """Return a profile that is not stored yet as it is frozen; None if nothing is to be kept of it but its id."""
    parts = [part for write in plan.unit.profiles if (part := write.profile.parts.get(id)) is not None]
    if not parts or not (parts[0].user or parts[0].device):
        return None
    created = parts[0].created
    return text_of(new_profile(id, created, user=parts[0].user, device=parts[0].device))
