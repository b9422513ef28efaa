"""Tombstones: the losers of a merge are frozen before it is committed, each at the version that the unit read."""

from collections.abc import Sequence

from engine.ports.records import ProfileWrite
from engine.ports.store import Conflict
from engine.profile.document import Profile
from storage.elasticsearch.commit_plan import CommitPlan
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import ProfileSource
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.tombstone_chain import ChainLink
from storage.elasticsearch.writer import Writer
from storage.encoding import decode_profile, encode


class Tombstones:
    """Checks losers, and claims them."""

    def __init__(self, loader: Loader, writer: Writer, names: Names) -> None:
        self._loader = loader
        self._writer = writer
        self._names = names

    async def seen(self, losers: Sequence[ProfileWrite], draft: CommitPlan) -> list[tuple[ProfileWrite, ChainLink]]:
        """The losers with their documents, except those that this unit has frozen before. Raises `Conflict`."""
        left = []
        for loser in losers:
            there = await self._loader.node(loser.profile.id)  # finishes its entries: the winner takes none over
            if there.source is not None and there.source.by == draft.token:
                continue
            if there.version != loser.expected:
                raise Conflict("profile", loser.profile.id)
            left.append((loser, there))
        return left

    async def claim(self, losers: Sequence[tuple[ProfileWrite, ChainLink]], winner: Profile, draft: CommitPlan) -> None:
        """Freeze the losers. Raises `Conflict` if one has changed."""
        operations = [
            replace(self._names.profiles, id_of(there.id), self._source(loser, there, winner, draft), there.at)
            for loser, there in losers
        ]
        outcomes = await self._writer.send(operations)
        for (loser, there), outcome in zip(losers, outcomes, strict=True):
            self._loader.memory.drop(there.id)
            if outcome is None:
                found = await self._loader.node(there.id)
                if found.source is None or found.source.by != draft.token:
                    raise Conflict("profile", loser.profile.id)

    def _source(self, write: ProfileWrite, there: ChainLink, winner: Profile, draft: CommitPlan) -> bytes:
        frozen = there.source.doc if there.source is not None else None
        ids = set(decode_profile(frozen).parts) if frozen is not None else {there.id}
        links = [link for link in winner.links.values() if not link.undone]
        joining = [link for link in links if link.left in ids or link.right in ids]
        return encode(
            ProfileSource(
                id=there.id,
                version=write.profile.version,
                merged_into=write.profile.merged_into,
                open=True,
                frozen=frozen,
                joining=encode(joining).decode() if joining else None,
                by=draft.token,
                created=write.profile.created,
                recent=there.source.recent if there.source is not None else [],
                unfinished=draft.stamp,
            )
        )
