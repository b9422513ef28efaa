"""Profiles by id, as a store would keep them, for tests that apply whole histories."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from engine.profile.apply import apply_operations
from engine.profile.declared import Fields
from engine.profile.document import Link, LinkKind, Profile, new_profile
from engine.profile.fold import fold
from engine.profile.grouping import redirected, regroup
from engine.profile.linking import LinkRules, Pool, Verdict, accept, key_link, link_id, new_link, undo
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
    """The documents of some profiles, created one after another, each with one part.

    Joining and undoing keep the versions as they are, so that every order of them leaves the same documents.
    """

    def __init__(self, ids: Sequence[str], fields: Fields | None = None, rules: LinkRules | None = None) -> None:
        self.fields = fields
        self.rules = rules or LinkRules(max_per_key=1000)
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

    def bring(self, id: str, key: str, kind: LinkKind = "proof") -> Verdict:
        """Let an id bring a key; every id that has brought it before is known."""
        return self.link(new_link(id, kind, key_link(key, kind)))

    def link(self, link: Link) -> Verdict:
        """Add a link, if the rules allow it."""
        documents = self._documents([link.left, *self._ids_of(link.right)])
        verdict = accept(Pool.of(*documents), (link,), self.rules, 1)
        self._store(verdict.pool, documents)
        return verdict

    def merge(self, left: str, right: str, key: str, claim: bool = False) -> None:
        """Let two ids bring one key."""
        for id in (left, right):
            self.bring(id, key, "claim" if claim else "proof")

    def unmerge(self, id: str, key: str, kind: LinkKind = "proof") -> None:
        """Undo the link of an id to a key."""
        profile = self.of(id)
        pool = undo(Pool.of(profile), link_id(id, kind, key_link(key, kind)), 1)
        self._store(pool, [profile])

    def _ids_of(self, right: str) -> list[str]:
        """Return the ids that have a link to a key, or the id itself."""
        links = [link for document in self.documents.values() for link in document.links.values()]
        return [right] if right in self.documents else sorted({link.left for link in links if link.right == right})

    def _documents(self, ids: Iterable[str]) -> list[Profile]:
        found = [self.of(id) for id in ids]
        return list({profile.id: profile for profile in found}.values())

    def _store(self, pool: Pool, documents: Sequence[Profile]) -> None:
        regrouped = regroup(pool, documents, documents[0].id)
        stones = redirected(regrouped, self.documents)
        for document in (*regrouped.profiles, *stones):
            self.documents[document.id] = replace(document, version=self.documents[document.id].version)

    def read(self, id: str) -> dict[str, Any]:
        return fold(self.of(id), self.fields)
