"""The chain of tombstones from an id to the profile that it leads to.

A merge freezes a profile first: its document becomes an *open* tombstone, which keeps the profile. If the unit is then
not committed, it is not known whether the merge is still right. So a chain with open tombstones is read as one document
that has the parts and links of all, and nothing is judged here: by the links the engine finds out which of the parts
belong together, and the next commit over that document decides about all of them.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from engine.profile.document import Profile, new_profile
from engine.profile.grouping import DUE_AT_ONCE
from engine.profile.linking import Pool
from engine.profile.owed import united
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import Position, ProfileSource, decode_profile_source
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Written
from storage.elasticsearch.reader import Reader
from storage.encoding import decode_profile


class ChainLink(Struct, frozen=True):
    """A profile's document as it was read; without `source` it is not stored."""

    id: str
    source: ProfileSource | None = None
    at: Written | None = None

    @property
    def version(self) -> int:
        """The stored version; 0 without one."""
        return self.source.version if self.source else 0

    @property
    def position(self) -> Position:
        """The stored position; (0, 0) without one."""
        return self.source.position if self.source else (0, 0)

    @property
    def leads(self) -> str | None:
        """The id that a tombstone leads to; None if this is none."""
        return self.source.merged_into if self.source else None

    @property
    def is_open(self) -> bool:
        """Whether this is a tombstone of a profile that no commit has decided about yet."""
        return self.source is not None and self.source.merged_into is not None and self.source.open

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the parts that are stored here, in a profile or in an open tombstone; of a bare one its own id."""
        if self.source is None:
            return frozenset()
        doc = self.source.frozen if self.is_open else self.source.doc if self.source.living else None
        if doc is not None:
            return frozenset(decode_profile(doc).parts)
        return frozenset({self.id}) if self.is_open else frozenset()


async def node(reader: Reader, names: Names, id: str) -> ChainLink:
    """The document of one id."""
    found = await reader.get(names.profiles, id_of(id))
    return ChainLink(id) if found is None else ChainLink(id, decode_profile_source(found.source), found.at)


async def chain(reader: Reader, names: Names, id: str) -> list[ChainLink]:
    """The documents from an id to its end; [] when they lead in a circle."""
    nodes = [await node(reader, names, id)]
    while (following := nodes[-1].leads) is not None:
        if any(each.id == following for each in nodes):
            return []
        nodes.append(await node(reader, names, following))
    return nodes


def profile_of(nodes: Sequence[ChainLink]) -> Profile | None:
    """The document that a chain leads to, with all that its open tombstones have frozen; None without a profile."""
    if not nodes:
        return None
    root = nodes[-1]
    stored = decode_profile(root.source.doc) if root.source is not None and root.source.doc is not None else None
    opened = [each for each in nodes[:-1] if each.is_open]
    if not opened:
        return stored
    frozen = [_frozen(each.source) for each in opened if each.source is not None]
    if stored is None:  # before all that it is to take, as tombstones lead to lower ranks only
        stored = new_profile(root.id, max(0, min([each.created for each in frozen]) - 1))
    pool = Pool.of(stored, *frozen)
    conditional = {name for each in (stored, *frozen) for name in each.conditional}
    owed = united((stored, *frozen))
    standing = {name: at for each in (*reversed(frozen), stored) for name, at in each.standing.items()}
    return structs.replace(
        stored,
        parts=dict(sorted(pool.parts.items())),
        links=dict(sorted(pool.links.items())),
        conditional=tuple(sorted(conditional)),
        standing=dict(sorted(standing.items())),
        due=DUE_AT_ONCE,
        waits=owed.waits,
        tails=owed.tails,
        fired=owed.fired,
    )


def is_certain(nodes: Sequence[ChainLink], profile: Profile | None) -> bool:
    """Whether documents that were read one after the other surely stood so at one time.

    If one of them was open, or the profile does not have the id that was asked for, one may have moved meanwhile.
    """
    if len(nodes) < 2 or profile is None:
        return True
    return nodes[0].id in profile.parts and not any(each.is_open for each in nodes)


def _frozen(tombstone: ProfileSource) -> Profile:
    """The profile that became an open tombstone; of an id that was not stored before, an empty one."""
    if tombstone.frozen is not None:
        return decode_profile(tombstone.frozen)
    return new_profile(tombstone.id, tombstone.created or 0)
