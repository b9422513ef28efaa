"""The chain of tombstones from an id to the profile that it leads to, and the parts of them that it has still to take.

A merge freezes the loser first; if its unit is then not committed, the merge is valid all the same: readers treat the
frozen document as taken, and the next unit that is committed there takes it for good. What counts are the links
that join the two. If they have been undone since, nothing was merged; if the profile that was to take the loser has
been split since, the loser goes with the side that its link joins it with.
"""

from collections.abc import Sequence

from engine.profile.merge import link_id, unite
from msgspec import Struct, json, structs

from engine.profile.document import Link, Part, Profile, new_profile
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import ProfileSource, decode_profile_source
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Written
from storage.elasticsearch.reader import Reader
from storage.encoding import decode_profile

_decode_links = json.Decoder(tuple[Link, ...]).decode


class ChainLink(Struct, frozen=True):
    """A profile's document as it was read; without `source` it is not stored."""

    id: str
    source: ProfileSource | None = None
    at: Written | None = None

    @property
    def version(self) -> int:
        """The stored version; 0 without one."""
        return self.source.version if self.source else 0


async def node(reader: Reader, names: Names, id: str) -> ChainLink:
    """The document of one id."""
    found = await reader.get(names.profiles, id_of(id))
    return ChainLink(id) if found is None else ChainLink(id, decode_profile_source(found.source), found.at)


async def chain(reader: Reader, names: Names, id: str) -> list[ChainLink]:
    """The documents from an id to its end; [] when they lead in a circle."""
    nodes = [await node(reader, names, id)]
    while (source := nodes[-1].source) is not None and source.merged_into is not None:
        following = await onward(reader, names, source)
        if following == source.id and source.open:
            break
        if any(each.id == following for each in nodes):
            return []
        nodes.append(await node(reader, names, following))
    return nodes


async def onward(reader: Reader, names: Names, source: ProfileSource) -> str:
    """Where a tombstone leads; its own id, when the links that joined it have been undone before it was taken."""
    end = source.merged_into or source.id
    joining = _joining(source)
    if not joining:
        return end
    ids: set[str] = set()
    known = list(_frozen(source).links.values())
    passed = {source.id}
    while end not in passed:  # the profiles between, as the merge intended
        passed.add(end)
        there = (await node(reader, names, end)).source
        for doc in (there.doc, there.frozen) if there is not None else ():
            profile = decode_profile(doc) if doc is not None else None
            ids |= profile.parts.keys() if profile is not None else set()
            known += profile.links.values() if profile is not None else ()
        end = (there.merged_into if there is not None else None) or end
    others = _others(source, joining, {link.id for link in known if link.undone})
    if not others:
        return source.id if source.frozen is not None else str(source.merged_into)
    return str(source.merged_into) if not others.isdisjoint(ids | passed) else min(others)


def profile_of(nodes: Sequence[ChainLink]) -> Profile | None:
    """The profile that a chain leads to, with the parts that it has still to take; None without a profile."""
    if not nodes:
        return None
    *tombstones, root = nodes
    profile = None
    if root.source is not None and root.source.merged_into is not None:  # frozen, and set apart before it was taken
        profile = structs.replace(_frozen(root.source), version=root.version)
    elif root.source is not None and root.source.doc:
        profile = decode_profile(root.source.doc)
    for each in reversed(tombstones):
        profile = _with(profile, root.id, each)
    return profile


def _with(profile: Profile | None, id: str, tombstone: ChainLink) -> Profile | None:
    source = tombstone.source
    if source is None or not source.open or (profile is not None and tombstone.id in profile.parts):
        return profile
    joining = _joining(source)
    if source.frozen is None and not joining:
        return profile  # it never was a profile
    loser = _frozen(source)
    if profile is None:
        profile = new_profile(id, loser.created)
    return united(profile, loser, joining)


def united(profile: Profile, loser: Profile, links: tuple[Link, ...]) -> Profile:
    """`profile` once it has taken `loser`, at its own version; `links` join the two."""
    undone = {link.id for link in (*profile.links.values(), *loser.links.values(), *links) if link.undone}
    holding = [link for link in links if link.id not in undone]
    if not holding:
        holding = [Link(link_id(profile.id, loser.id, "merged"), profile.id, loser.id, "merged")]
    both = unite(profile, loser, holding[0])
    for link in links:
        both = unite(both, both, link)
    return structs.replace(both, id=profile.id, created=profile.created, version=profile.version)


def _joining(source: ProfileSource) -> tuple[Link, ...]:
    """The links for which a tombstone was frozen; none of one that has been taken."""
    return _decode_links(source.joining) if source.open and source.joining else ()


def _frozen(source: ProfileSource) -> Profile:
    """The profile that became a tombstone."""
    if source.frozen is not None:
        return decode_profile(source.frozen)
    created = source.created or 0
    return Profile(id=source.id, created=created, parts={source.id: Part(source.id, created, created, created)})


def _others(source: ProfileSource, joining: Sequence[Link], undone: set[str]) -> set[str]:
    """The ids with which the links join those of a tombstone, except undone links."""
    own = _frozen(source).parts.keys()
    between = [link for link in joining if (link.left in own) != (link.right in own) and link.id not in undone]
    return {link.right if link.left in own else link.left for link in between if not link.undone}
