"""The chain of tombstones from an id to the profile that it leads to, and what that has still to take of them.

A merge freezes the loser first; if its unit is then not committed, the merge stands all the same: readers take what is
frozen as if it had been taken, and the next unit that is committed there takes it for good.
"""

from collections.abc import Sequence

from msgspec import Struct, json, structs

from engine.profile.document import Part, Profile, Step, new_profile
from engine.profile.merge import step_id, unite
from storage.documents import decode_profile
from storage.elasticsearch.names import Names, id_of
from storage.elasticsearch.operation import Written
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.source import ProfileSource, decode_profile_source

_decode_steps = json.Decoder(tuple[Step, ...]).decode


class Node(Struct, frozen=True):
    """A profile's document as it was read; without `source` nobody has stored it."""

    id: str
    source: ProfileSource | None = None
    at: Written | None = None

    @property
    def version(self) -> int:
        """The stored version; 0 without one."""
        return self.source.version if self.source else 0


async def node(reader: Reader, names: Names, id: str) -> Node:
    """The document of one id."""
    found = await reader.get(names.profiles, id_of(id))
    return Node(id) if found is None else Node(id, decode_profile_source(found.source), found.at)


async def chain(reader: Reader, names: Names, id: str) -> list[Node]:
    """The documents from an id to its end; [] when they lead in a circle."""
    nodes = [await node(reader, names, id)]
    while (source := nodes[-1].source) is not None and source.merged_into is not None:
        following = await onward(reader, names, source, source.merged_into)
        if any(each.id == following for each in nodes):
            return []
        nodes.append(await node(reader, names, following))
    return nodes


async def onward(reader: Reader, names: Names, source: ProfileSource, end: str) -> str:
    """Where a tombstone leads that was to be taken by the profile at `end`.

    If that has been split before it took it, the tombstone belongs to the side that its step joins it with.
    """
    joins = _joins(source)
    if not joins:
        return end
    on_the_way: list[Node] = []
    while all(each.id != end for each in on_the_way):
        on_the_way.append(await node(reader, names, end))
        there = on_the_way[-1].source
        if there is None or there.merged_into is None:
            break
        end = there.merged_into
    ids = {each.id for each in on_the_way}
    for each in on_the_way:
        doc = each.source and (each.source.doc or each.source.frozen)
        ids |= decode_profile(doc).parts.keys() if doc else set()
    return str(source.merged_into) if not joins.isdisjoint(ids) else min(joins)


def _joins(source: ProfileSource) -> set[str]:
    """The ids that steps join with those of a tombstone which nobody has taken yet."""
    if not source.open or not source.joining:
        return set()
    own = decode_profile(source.frozen).parts.keys() if source.frozen else {source.id}
    steps = [step for step in _decode_steps(source.joining) if not step.undone]
    return {
        step.right if step.left in own else step.left for step in steps if (step.left in own) != (step.right in own)
    }


def profile_of(nodes: Sequence[Node]) -> Profile | None:
    """The profile that a chain leads to, with what it has still to take; None when nobody is there."""
    if not nodes:
        return None
    *tombstones, root = nodes
    profile = decode_profile(root.source.doc) if root.source and root.source.doc else None
    for each in reversed(tombstones):
        profile = _with(profile, root.id, each)
    return profile


def _with(profile: Profile | None, id: str, tombstone: Node) -> Profile | None:
    source = tombstone.source
    if source is None or not source.open or (profile is not None and tombstone.id in profile.parts):
        return profile
    loser = decode_profile(source.frozen) if source.frozen else None
    steps = _decode_steps(source.joining) if source.joining else ()
    if loser is None:
        if not steps:
            return profile  # it never was anybody
        created = source.created or 0
        loser = Profile(id=source.id, created=created, parts={source.id: Part(source.id, created, created, created)})
    if profile is None:
        profile = new_profile(id, loser.created)
    return united(profile, loser, steps)


def united(profile: Profile, loser: Profile, steps: tuple[Step, ...]) -> Profile:
    """What `profile` is once it has taken `loser`, at the version that it has; `steps` join the two."""
    if not steps:
        steps = (Step(step_id(profile.id, loser.id, "merged"), profile.id, loser.id, "merged"),)
    whole = structs.replace(loser, steps={**loser.steps, **{step.id: step for step in steps}})
    both = unite(profile, whole, steps[0])
    return structs.replace(
        both, id=profile.id, created=profile.created, version=profile.version, conditional=profile.conditional
    )
