"""The promises of the protocol, checked at the end of a history, when nothing is under way any more."""

from collections import defaultdict

from tests.model.documents import (
    Document,
    Entry,
    KeyDocument,
    MarkDocument,
    ProfileDocument,
    RecordDocument,
    SessionDocument,
    StoredPart,
)
from tests.model.ledger import Group, Ledger
from tests.model.plan import Plan
from tests.model.process import Unit
from tests.model.rules import EXCLUSIVE, USER, Link, component, has_two, is_key, is_proven, values
from tests.model.store import Store, expect

MAX_HOPS = 20


def check(store: Store, plan: Plan, ledger: Ledger) -> None:
    """Raises `Broken` with the first promise that is broken."""
    end = End(store, plan, ledger)
    end.documents_lead()
    end.profiles_are_groups()
    end.keys_join()
    end.units_took_effect_once()
    end.sessions_count()
    end.the_forgotten_are_gone()
    end.links_were_taken()


class End:
    """The documents at the end of a history."""

    def __init__(self, store: Store, plan: Plan, ledger: Ledger) -> None:
        self.store = store
        self.plan = plan
        self.ledger = ledger
        self.documents: dict[str, Document] = {key: document for key, (document, _) in store.documents.items()}
        self.profiles = {
            key.removeprefix("profile/"): document
            for key, document in self.documents.items()
            if isinstance(document, ProfileDocument)
        }
        self.living = {id: document for id, document in self.profiles.items() if document.into is None}
        self.at = {id: name for name, document in self.living.items() for id in document.parts}
        self.parts: dict[str, StoredPart] = {}
        for document in self.living.values():
            self.parts.update(document.parts)
        self.undone = any(unit.kind == "undo" for unit in plan.units)
        self.aliased = any(unit.alias or unit.alias_id for unit in plan.units)

    def documents_lead(self) -> None:
        """Each id is in one living document, to which its tombstones lead; nothing is left open or pending."""
        expect(len(self.at) == sum(len(each.parts) for each in self.living.values()), "two documents hold an id")
        for name, document in self.profiles.items():
            expect(not document.pending, "pending left in", name)
            expect(not document.open, "merge left open:", name)
            end = name
            for _ in range(MAX_HOPS):
                expect(end in self.profiles, "a tombstone leads nowhere:", name)
                if (into := self.profiles[end].into) is None:
                    break
                end = into
            expect(self.at.get(name) == end, name, "leads to", end, "and is in", self.at.get(name))

    def profiles_are_groups(self) -> None:
        """Each document is one group, of one user; nothing that is only claimed is with what is proven."""
        for name, document in self.living.items():
            parts, ids = document.parts, frozenset(document.parts)
            expect(component(parts, name) == ids, "not one group:", name, parts)
            if any(is_proven(parts, id) for id in ids):
                expect(component(parts, name, hers=True) == ids, "joined with a proven one by a claim:", parts)
            expect(self.aliased or not has_two(values(parts, ids)), "two users in one profile:", name, parts)
            for id, part in parts.items():
                owns = [link for link in part.links if link.kind == "own"]
                expect(len(owns) < 2, "two first users:", id)
                expect(len(set(part.log)) == len(part.log), "effect twice in", id)

    def keys_join(self) -> None:
        """All ids with one key are one profile, and an id is with the id that its link leads to."""
        holders: dict[Link, set[str]] = defaultdict(set)
        for id, part in self.parts.items():
            for link in part.links:
                if is_key(link.to):
                    holders[link].add(self.at[id])
                else:
                    expect(self.at.get(link.to) == self.at[id], "not with the id of its link:", id, link)
        for link, where in holders.items():
            expect(len(where) == 1, "same key, two profiles:", link, where)

    def units_took_effect_once(self) -> None:
        """Each acknowledged event is there, with its event, mark, emitted event and delivery, each created once."""
        for unit in self.plan.units:
            if unit.event in self.ledger.answers:
                self._took_effect(unit, self.ledger.committed[unit.event])

    def _took_effect(self, unit: Unit, entry: Entry) -> None:
        event = unit.event
        if self.ledger.is_forgotten(entry.acting):
            return
        logged = bool(entry.acting) and event in self.parts.get(entry.acting, StoredPart()).log
        expect(logged == bool(entry.acting), "acknowledged and lost:", event)
        mark = self.documents.get("mark/" + event)
        expect(isinstance(mark, MarkDocument) and mark.claim is None, "without a mark:", event)
        expect(isinstance(mark, MarkDocument) and mark.answer == entry.answer, "mark with another answer:", event)
        due = {"event/" + event: unit.stored, f"event/{event}.emitted": entry.emits, "delivery/" + event: entry.emits}
        for key, wanted in due.items():
            expect(self.store.created[key] == wanted, key, "created", self.store.created[key], "times")

    def sessions_count(self) -> None:
        """Each session has counted its events once."""
        for name, count in self.ledger.sessions.items():
            session = self.documents.get("session/" + name)
            expect(isinstance(session, SessionDocument), "session lost:", name)
            found = session.count if isinstance(session, SessionDocument) else 0
            expect(found == count, "session", name, "counts", found, "not", count)

    def the_forgotten_are_gone(self) -> None:
        """No document has to do with a forgotten id; and only those are forgotten who were together with one."""
        gone = {key.removeprefix("refused/") for key in self.documents if key.startswith("refused/")}
        for key, document in self.documents.items():
            found: set[str | None] = set()
            if isinstance(document, ProfileDocument):
                found = {key.removeprefix("profile/"), document.into, *document.parts}
                found |= {link.to for part in document.parts.values() for link in part.links}
            elif isinstance(document, KeyDocument):
                found = {document.id}
            elif isinstance(document, SessionDocument | MarkDocument | RecordDocument):
                found = {document.profile}
            expect(not found & gone, key, "is left of", found & gone)
        reached: set[str] = set()
        for asked, groups in self.ledger.groups_since.items():
            reached |= _reached(asked, groups)
        ids = {name for name in gone if not name.startswith("session/")}
        expect(ids <= reached, "forgotten without being asked for:", ids - reached)

    def links_were_taken(self) -> None:
        """A link that a unit proves is taken, unless it would bring two users together."""
        users = any(unit.user or unit.hand_over for unit in self.plan.units)
        for unit in self.plan.units:
            entry = self.ledger.committed.get(unit.event)
            if entry is None or entry.acting not in self.parts or unit.kind == "undo":
                continue
            part = self.parts[entry.acting]
            have = {link.to for link in part.links | part.ended}
            for key, kind in unit.keys:
                expect(kind == "claim" or "!" + key in have or users, "a proof was not taken:", unit)
            if part.user and unit.by == "proof" and not unit.targets and not self.aliased:
                expect(f"!{USER}:{part.user}" in have, "a user was not taken:", unit)
            if part.user and unit.session is None and not self.undone and not self.plan.forget:
                self._has_first_user(unit.visitor)

    def _has_first_user(self, visitor: str) -> None:
        part = self.parts.get(visitor)
        if part is not None and EXCLUSIVE:
            together = self.living[self.at[visitor]].parts
            own = any(link.kind == "own" for link in part.links | part.ended)
            expect(own or values(together, together), "no pair is the first one on", visitor)


def _reached(asked: str, groups: set[Group]) -> set[str]:
    """The ids that groups connect with one."""
    found: set[str] = {asked}
    while more := {id for group in groups if group & found for id in group} - found:
        found |= more
    return found
