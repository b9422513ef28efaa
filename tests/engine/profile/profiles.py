"""Profiles by id, as a store would keep them, for tests that apply whole histories."""

from collections.abc import Sequence
from typing import Any

from engine.profile.merge import link_id, tombstone, unite, unmerge
from msgspec.structs import replace

from engine.profile.apply import apply_operations
from engine.profile.declared import Fields
from engine.profile.document import Link, Profile, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Operation
from engine.profile.tree import change


def exact(value: Any) -> Any:
    """Return a view in a form that distinguishes true from 1, and a set from a list."""
    if isinstance(value, dict):
        return {name: exact(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(exact, value))
    return isinstance(value, bool), value


class Profiles:
    """The documents of some profiles, created one after another, each with one part."""

    def __init__(self, ids: Sequence[str], fields: Fields | None = None) -> None:
        self.fields = fields
        self.documents = {id: apply_operations(new_profile(id, now), id, (), now)[0] for now, id in enumerate(ids)}

    def of(self, id: str) -> Profile:
        """Return the profile that an id leads to."""
        profile = self.documents[id]
        while profile.merged_into is not None:
            profile = self.documents[profile.merged_into]
        return profile

    def commit(self, id: str, ops: Sequence[Operation], now: int) -> None:
        """Apply operations under an id, and check that they change the view in the same way."""
        profile = self.of(id)
        expected = before = self.read(id)
        for op in ops:
            expected = change(expected, op, self.fields)
        after, _ = apply_operations(profile, id, ops, now, before, self.fields)
        self.documents[profile.id] = after
        assert exact(self.read(id)) == exact(expected)

    def merge(self, left: str, right: str, cause: str, claim: bool = False) -> str:
        link = Link(id=link_id(left, right, cause), left=left, right=right, cause=cause, claim=claim)
        profile, other = self.of(left), self.of(right)
        joined = unite(profile, other, link)
        self.documents[joined.id] = joined
        for loser in (profile, other):
            if loser.id != joined.id and loser.id in joined.parts:
                self.documents[loser.id] = tombstone(loser, joined.id)
        return link.id

    def unmerge(self, left: str, right: str, cause: str) -> None:
        for profile in unmerge(self.of(left), link_id(left, right, cause)):
            following = self.documents[profile.id].version + 1
            self.documents[profile.id] = replace(profile, version=following)
            for id in profile.ids[1:]:
                self.documents[id] = tombstone(self.documents[id], profile.id)

    def read(self, id: str) -> dict[str, Any]:
        return fold(self.of(id), self.fields)
