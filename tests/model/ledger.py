"""The ledger: every commit as it is written, and what all parts, sessions and groups must hold by then."""

from collections import Counter
from collections.abc import Iterable

from msgspec import structs

from tests.model.attempt import IMPORTANT
from tests.model.documents import Document, Entry, ForgettingDocument, MarkDocument, Parts, ProfileDocument
from tests.model.plan import Plan
from tests.model.process import Unit
from tests.model.rules import Part, accept, component, settle, undo
from tests.model.store import Store, expect

Group = frozenset[str]


class Ledger:
    """Observes the store: compares each commit with the commits before it."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store = store
        self._units = {unit.event: unit for unit in plan.units}
        self._tokens: set[int] = set()
        self._important: set[str] = set()
        self._standing: dict[str, Part] = {}  # the parts of all ids, by the rules alone
        self._leaving: set[str] = set()  # ids that are forgotten, and those that are with them at that time
        self.committed: dict[str, Entry] = {}  # by event
        self.answers: dict[str, str | None] = {}  # of events that were acknowledged, received or not
        self.received: set[str] = set()  # events whose acknowledgement was received
        self.logs: dict[str, tuple[str, ...]] = {}  # by the id of the part
        self.sessions: Counter[str] = Counter()  # events by session
        self.group_of: dict[str, Group] = {}
        self.groups_since: dict[str, set[Group]] = {}  # by forgetting: those of its start, and later ones
        store.observe = self._observe

    def is_forgotten(self, id: str) -> bool:
        """Whether an id is forgotten by now."""
        return "refused/" + id in self._store.documents

    def acting(self, unit: Unit) -> str:
        """The id that a committed unit acted under."""
        return self.committed[unit.event].acting

    def acknowledged(self, unit: Unit, answer: str | None, *, received: bool) -> None:
        """Note an acknowledgement. Raises `Broken` when a repeat is answered otherwise than its first sending."""
        expect(unit.event in self.committed, "acknowledged before its commit:", unit.event)
        first = self.answers.setdefault(unit.event, answer)
        forgotten = self.is_forgotten(self.acting(unit)) or self.is_forgotten(first or "")
        expect(first == answer or forgotten, "repeat answered", answer, "first answer", first, "of", unit.event)
        if received:
            self.received.add(unit.event)

    def _observe(self, key: str, old: Document | None, new: Document | None) -> None:
        kind, _, name = key.partition("/")
        if isinstance(old, ProfileDocument) and (new is None or (isinstance(new, ProfileDocument) and new.removed)):
            for id in old.parts:
                self.logs.pop(id, None)
                self.group_of.pop(id, None)
                self._important.discard(id)
        elif isinstance(new, ProfileDocument) and new.into is None:
            for entry in new.pending:
                if entry.token not in self._tokens:
                    self._commit(entry, new.parts)
        elif isinstance(new, MarkDocument):
            for entry in new.pending:
                if entry.token not in self._tokens:
                    self._event(entry)
        elif kind == "refused":
            self._forget(self.group_of.get(name, {name}))
        elif kind == "session" and new is None:
            self.sessions.pop(name, None)
        elif isinstance(new, ForgettingDocument) and old is None:
            self.groups_since[name] = set(self.group_of.values())

    def _commit(self, entry: Entry, home: Parts) -> None:
        if entry.event is not None:
            self._event(entry)
        self._tokens.add(entry.token)
        all_parts = (home, *[each.parts for each in entry.leaving])
        self._judge(entry, all_parts)
        for parts in all_parts:
            group = frozenset(parts)
            for id, part in parts.items():
                self.group_of[id] = group
                expect(part.log == self.logs.get(id, ()), "part", id, "has", part.log, "not", self.logs.get(id))
            for groups in self.groups_since.values():
                groups.add(group)
            if entry.event is not None and entry.acting in group:
                self._decided(entry, parts)

    def _judge(self, entry: Entry, all_parts: tuple[Parts, ...]) -> None:
        """Apply the links of a commit to the parts of all ids, and compare who is together then.

        Where forgotten ids take part, they are still there or already gone: the parts are taken over as they are.
        """
        committed = {id: part for parts in all_parts for id, part in parts.items()}
        ids = {*committed, *[id for id, _ in entry.users]}
        if ids & self._leaving:
            for parts in all_parts:
                if self._leaving & parts.keys():
                    self._forget(parts)
                else:
                    self._standing.update({id: _bare(part) for id, part in parts.items()})
        else:
            self._apply(entry, committed)
            for parts in all_parts:
                for id in parts:
                    together = component(self._standing, id)
                    expect(together == parts.keys(), "by the rules", id, "is with", together, "not", [*parts])

    def _forget(self, ids: Iterable[str]) -> None:
        self._leaving.update(ids)
        for id in ids:
            self._standing.pop(id, None)

    def _apply(self, entry: Entry, committed: Parts) -> None:
        for id, part in committed.items():
            self._standing.setdefault(id, Part())
            if part.user:
                self._standing[id] = structs.replace(self._standing[id], user=part.user)
        for id, user in entry.users:
            self._standing.setdefault(id, Part(user=user))
        if entry.undone is not None:
            undo(self._standing, *entry.undone)
        for some in entry.brought:
            trial = dict(self._standing)
            for each in some:
                trial.setdefault(each.id, Part())
            # A link that is refused, or ceases at once, may rest on a profile that is older than the commit: nothing
            # of it is stored there, and a repeat is judged again. All others must be taken by all commits before.
            taken = all(accept(trial, each.id, each.link, alias=each.alias) for each in some)
            expect(taken or any(each.id not in committed for each in some), "by the rules refused:", some)
            if taken:
                self._standing = trial
        settle(self._standing)

    def _event(self, entry: Entry) -> None:
        """Count the event of an entry."""
        self._tokens.add(entry.token)
        event = str(entry.event)
        before = self.committed.get(event)
        expect(before is None or self.is_forgotten(before.acting), "effect twice:", event)
        self.committed[event] = entry
        if entry.acting:
            self.logs[entry.acting] = (*self.logs.get(entry.acting, ()), event)
        if entry.session_name is not None:
            self.sessions[entry.session_name] += 1

    def _decided(self, entry: Entry, parts: Parts) -> None:
        """Compare what the flow has decided with the revenue by all commits before."""
        revenue = 0
        for id, part in parts.items():
            own = sum(self._units[event].amount for event in self.logs.get(id, ()))
            expect(part.revenue == own, "revenue of", id, part.revenue, "not", own)
            revenue += own
        due = revenue >= IMPORTANT and not self._important.intersection(parts)
        expect(entry.emits == due, "decided by an old profile:", entry.event)
        if due:
            self._important.add(entry.acting)


def _bare(part: Part) -> Part:
    return Part(part.links, part.ended, part.user, part.proven)
