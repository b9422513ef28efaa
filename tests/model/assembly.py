"""The documents that one attempt works on: loading them into one pool of parts, and committing the pool.

One commit joins and sets apart: the parts of all loaded documents are sorted into groups; the group of the first
document stays in it, and every other group leaves.
"""

import itertools
from collections.abc import Iterable

from msgspec import structs

from tests.model.documents import (
    NEVER,
    Brought,
    Entry,
    KeyDocument,
    Leaving,
    LeftKey,
    Parts,
    ProfileDocument,
    StoredPart,
)
from tests.model.finishing import finish
from tests.model.loading import Frozen, Root, load
from tests.model.process import Process
from tests.model.rules import accept, add, component, groups, is_key, settle
from tests.model.store import BLIND, Acknowledge, Again, Steps, expect, get, must

MAX_PENDING = 4


class Assembly:
    """The living documents and the open tombstones of an attempt, by their ids. Methods raise `Again`."""

    def __init__(self, process: Process, *, cached: bool = False) -> None:
        self.process = process
        self.store = process.store
        self.roots: dict[str, Root] = {}
        self.frozen: dict[str, Frozen] = {}
        self.meant: list[list[Brought]] = []  # each list is taken as a whole, or refused
        self.over: list[LeftKey] = []  # only of a wrong variant
        self._taken: list[tuple[Brought, ...]] = []
        self._cached = cached

    # ---- loading ----------------------------------------------------------------------------------------------------

    def load(self, id: str) -> Steps[None]:
        """Load what an id leads to. A document that is read twice must have the same version."""
        root, frozen = yield from load(self.process, id, cached=self._cached)
        before = self.roots.get(root.id)
        if before is not None and before.version != root.version and not self.process.wrong("no_reread"):
            raise Again
        self.roots[root.id] = root
        self.frozen.update({each.id: each for each in frozen})

    def pool(self) -> Parts:
        """The parts of all documents. An id that is in two of them was read at different times: `Again`."""
        parts: Parts = {}
        frozen = [each.document for each in self.frozen.values()]
        for document in (*frozen, *[each.document for each in self.roots.values()]):
            if document.parts.keys() & parts.keys() and not self.process.wrong("two_places"):
                raise Again
            parts.update(document.parts)
        for id, each in self.frozen.items():
            parts.setdefault(id, StoredPart())
            if self.process.wrong("frozen_joins"):
                for left, link in each.document.meant:
                    if left in parts:
                        add(parts, left, link)
        return parts

    # ---- judging ----------------------------------------------------------------------------------------------------

    def judge(self, parts: Parts) -> Parts:
        """The parts with the links that are not refused; settled."""
        for some in self.meant:
            trial = dict(parts)
            if all(self._accept(trial, each) for each in some):
                parts = trial
                self._taken.append(tuple(some))
            else:
                self.store.statistics["links refused"] += 1
        self._settle(parts)
        return parts

    def release(self, parts: Parts, before: Parts, acting: str) -> None:
        """Leave alone the documents that only refused links led to."""
        near = component(parts, acting)
        for name in list(self.roots):
            held = {name, *self.roots[name].document.parts}
            for each in self.frozen.values():
                if each.root == name:
                    held |= {each.id, *each.document.parts}
            if not any(id in near or _changed(parts, before, id) for id in held):
                del self.roots[name]
                for id in held:
                    parts.pop(id, None)
                    self.frozen.pop(id, None)

    def _accept(self, parts: Parts, each: Brought) -> bool:
        before = dict(parts)
        taken = accept(parts, each.id, each.link, alias=each.alias)
        self._keep_claims(parts, before)
        return taken

    def _settle(self, parts: Parts) -> None:
        before = dict(parts)
        settle(parts)
        self._keep_claims(parts, before)

    def _keep_claims(self, parts: Parts, before: Parts) -> None:
        if self.process.wrong("proof_stays"):
            for id, part in before.items():
                kept = parts[id].links | part.links
                parts[id] = structs.replace(parts[id], links=kept, ended=parts[id].ended - kept)

    # ---- committing -------------------------------------------------------------------------------------------------

    def commit(self, parts: Parts, entry: Entry, *, hands_over: bool = False) -> Steps[None]:
        """Freeze the losers, commit with the first document, acknowledge, and finish. Raises `Again` before it."""
        expect(self.roots, "no document for", entry.acting)
        for name in self.roots:
            parts.setdefault(name, StoredPart())
        for id, part in parts.items():  # never changes later: so tombstones only lead to a smaller rank
            if part.created == NEVER:
                parts[id] = structs.replace(part, created=self.store.now)
        winner = min(self.roots.values(), key=lambda root: (root.document.created, root.id))
        versions = yield from self._freeze(parts, winner)
        home, entry = yield from self._rearrange(parts, winner, versions, entry)
        alone = entry.rearranges and not self.process.wrong("split_carries")
        alone = alone or (hands_over and not self.process.wrong("hand_over_carries"))
        pending = yield from self._carried(winner, alone=alone)
        document = ProfileDocument(
            created=min(winner.document.created, parts[winner.id].created),
            parts={id: parts[id] for id in sorted(home)},
            pending=(*pending, entry),
        )
        group = component(parts, entry.acting) if entry.acting else home
        acknowledge = Acknowledge(entry.answer, frozenset(event for id in group for event in parts[id].log))
        if entry.event is not None and self.process.wrong("early_answer"):
            yield acknowledge
        self.process.held.pop(winner.id, None)
        version = yield from must("profile/" + winner.id, document, winner.version)
        self.store.statistics["commits"] += 1
        if entry.event is not None:
            yield acknowledge
        yield from self._finish(winner.id, document, version, entry, stays=not hands_over)

    def _freeze(self, parts: Parts, winner: Root) -> Steps[dict[str, int]]:
        """Write the tombstones of the losers; returns the versions of all open ones."""
        versions = {each.id: each.version for each in self.frozen.values()}
        meant = tuple((each.id, each.link) for each in itertools.chain(*self.meant))
        for id, document, version in sorted(self.roots.values(), key=lambda root: root.id):
            if id == winner.id:
                continue
            if not self.process.wrong("loser_unfinished"):
                for entry in self.process.unfinished(document.pending):
                    yield from finish(self.process, id, entry)
            user = "" if self.process.wrong("bare_tombstone") else parts[id].user
            contents = document.parts or {id: StoredPart(user=user)}
            tombstone = structs.replace(document, parts=contents, into=winner.id, open=True, pending=(), meant=meant)
            self.process.held.pop(id, None)
            at = BLIND if self.process.wrong("blind_freeze") else version
            versions[id] = yield from must("profile/" + id, tombstone, at)
            self.store.statistics["frozen"] += 1
        return versions

    def _rearrange(
        self, parts: Parts, winner: Root, versions: dict[str, int], entry: Entry
    ) -> Steps[tuple[frozenset[str], Entry]]:
        """The ids that stay in the first document, and the entry with what is taken, leaves, and is left."""
        every = sorted(groups(parts), key=sorted)
        home = next((group for group in every if winner.id in group), frozenset())
        expect(home, "a document without its own id:", winner.id, sorted(parts))
        took = dict(versions)
        leaving: list[Leaving] = []
        if len(every) > 1:
            self.store.statistics["splits"] += 1
            home_only = self.process.wrong("no_pointers")
            for id in parts:
                if id not in versions and id != winner.id and not (id in home and home_only):
                    _, versions[id] = yield from get("profile/" + id, ProfileDocument)
            leaving = [self._leaving(parts, group, versions) for group in every if group != home]
            if not home_only:
                took = {id: version for id, version in versions.items() if id in home or id not in parts}
        answer = next((each.id for each in leaving if entry.acting in each.parts), winner.id)
        return home, structs.replace(
            entry,
            answer=answer if entry.event is not None else None,
            took=tuple(took.items()),
            leaving=tuple(leaving),
            keys=(*self._left_keys(parts), *self.over),
            brought=tuple(self._taken),
        )

    def _leaving(self, parts: Parts, group: frozenset[str], versions: dict[str, int]) -> Leaving:
        now = self.store.now if self.process.wrong("new_rank") else 0
        first = min(group, key=lambda each: (now or parts[each].created, each))
        of_group = {id: parts[id] for id in sorted(group)}
        return Leaving(first, now or parts[first].created, of_group, {id: versions[id] for id in group})

    def _left_keys(self, parts: Parts) -> Iterable[LeftKey]:
        """The keys of links that have ended, for an id of which the link still holds."""
        if self.process.wrong("no_repoint"):
            return
        for link in sorted({each for part in parts.values() for each in part.ended if is_key(each.to)}):
            stay = min((id for id, part in parts.items() if link in part.links), default=None)
            if stay is not None:
                old = tuple(id for id, part in parts.items() if link in part.ended)
                yield LeftKey("key/" + link.to, old, KeyDocument(stay, parts[stay].user, link.kind))

    def _carried(self, winner: Root, *, alone: bool) -> Steps[list[Entry]]:
        """The entries that stay in the document beside the new one; `alone`: none, they are finished first."""
        if self.process.wrong("clear_early"):
            return []
        left = self.process.unfinished(winner.document.pending)
        if alone or len(left) >= MAX_PENDING:
            for entry in left:
                yield from finish(self.process, winner.id, entry)
            return []
        return left

    def _finish(self, id: str, document: ProfileDocument, version: int, entry: Entry, *, stays: bool) -> Steps[None]:
        """Finish the entry of a commit; what fails is finished by whoever loads the document next."""
        if not entry.rearranges and stays:
            self.process.held[id] = document, version
        try:
            yield from finish(self.process, id, entry)
            if entry.rearranges:
                yield from must("profile/" + id, structs.replace(document, pending=()), version)
        except Again:
            pass


def complete(process: Process, id: str) -> Steps[None]:
    """Complete a merge that a crash has left: its links are judged by what is stored. Raises `Again`."""
    assembly = Assembly(process)
    yield from assembly.load(id)
    if assembly.frozen:
        parts = assembly.judge(assembly.pool())
        process.store.statistics["merges completed"] += 1
        yield from assembly.commit(parts, Entry(process.store.tick()))


def _changed(parts: Parts, before: Parts, id: str) -> bool:
    return id in parts and parts[id] != before.get(id, StoredPart(user=parts[id].user))
