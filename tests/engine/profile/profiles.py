"""Profiles as documents, kept by id as a store would, for tests that play whole histories."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from engine.profile.apply import apply_operations
from engine.profile.declared import Fields
from engine.profile.document import Link, Profile, new_profile
from engine.profile.fold import fold
from engine.profile.merge import link_id, tombstone, unite, unmerge
from engine.profile.operations import Operation
from engine.profile.tree import change


def exact(value: Any) -> Any:
    """A form of a view that tells true from 1, and a set from a list."""
    if isinstance(value, dict):
        return {name: exact(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(exact, value))
    return isinstance(value, bool), value


class People:
    """The documents of some profiles, each with a part of its own, created one after another."""

    def __init__(self, ids: Sequence[str], fields: Fields | None = None) -> None:
        self.fields = fields
        self.documents = {id: apply_operations(new_profile(id, now), id, (), now)[0] for now, id in enumerate(ids)}

    def of(self, id: str) -> Profile:
        """The profile that an id leads to."""
        found = self.documents[id]
        while found.merged_into is not None:
            found = self.documents[found.merged_into]
        return found

    def commit(self, id: str, ops: Sequence[Operation], now: int) -> None:
        """Do operations under an id; what is read after it must be what the operations make of what was read before."""
        profile = self.of(id)
        expected = before = self.read(id)
        for op in ops:
            expected = change(expected, op, self.fields)
        after, _ = apply_operations(profile, id, ops, now, before, self.fields)
        self.documents[profile.id] = after
        assert exact(self.read(id)) == exact(expected)

    def merge(self, left: str, right: str, cause: str, claim: bool = False) -> str:
        step = Link(id=link_id(left, right, cause), left=left, right=right, cause=cause, claim=claim)
        profile, other = self.of(left), self.of(right)
        joined = unite(profile, other, step)
        self.documents[joined.id] = joined
        for loser in (profile, other):
            if loser.id != joined.id and loser.id in joined.parts:
                self.documents[loser.id] = tombstone(loser, joined.id)
        return step.id

    def unmerge(self, left: str, right: str, cause: str) -> None:
        for profile in unmerge(self.of(left), link_id(left, right, cause)):
            following = self.documents[profile.id].version + 1
            self.documents[profile.id] = replace(profile, version=following)
            for id in profile.ids[1:]:
                self.documents[id] = tombstone(self.documents[id], profile.id)

    def read(self, id: str) -> dict[str, Any]:
        return fold(self.of(id), self.fields)
