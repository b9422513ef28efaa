"""One attempt at one unit, and the units that a process handles.

The order of reads: the session (it tells the acting id), the profile, then the mark and the session again; then the
documents that keys, the device and an alias lead to. The order of writes: claims that stand (keys, new sessions, the
mark of a unit whose repeat may act under another id), tombstones of losers, the document that commits.

A session is guarded by the document of the id that it acts under: who changes it must write that document. A unit that
hands a session over acts under the old id, so the old id's document commits it: it carries the session with the new
pair, and with the pair's visitor and user, for an id does not show them. The next unit acts under the new pair.
"""

import itertools

from msgspec import structs

from tests.model.assembly import Assembly
from tests.model.documents import (
    Brought,
    Entry,
    KeyDocument,
    LeftKey,
    MarkDocument,
    Parts,
    ProfileDocument,
    SessionDocument,
    StoredPart,
)
from tests.model.finishing import finish
from tests.model.process import Forgotten, Process, Unit, is_forgotten
from tests.model.rules import SIGNS, USER, Kind, Link, component, is_proven, key_link, pair, undo
from tests.model.store import Acknowledge, Again, Refuse, Steps, get, must

MAX_TRIES = 40
IMPORTANT = 500  # revenue from which a profile is named as important, once


def handle(process: Process, unit: Unit) -> Steps[None]:
    """Handle a unit until it is committed, as a server does, or refuse it."""
    found = process.store.random.choice(unit.targets) if unit.targets else ""
    cached = process.store.random.random() < 0.5
    for _ in range(MAX_TRIES):
        try:
            if (yield from Attempt(process, unit, found, cached=cached).run()):
                return
        except Again:
            process.store.statistics["attempts begun again"] += 1
            cached = False
        except Forgotten:
            yield Refuse(for_good=True)
            return
    yield Refuse()


class Attempt:
    """An attempt at a unit; `found` is the id that its look-up returned. Methods raise `Again` and `Forgotten`."""

    def __init__(self, process: Process, unit: Unit, found: str, *, cached: bool) -> None:
        self.process = process
        self.unit = unit
        self.documents = Assembly(process, cached=cached)
        self.acting = found or pair(unit.visitor, unit.user)
        self.visitor, self.user = ("", "") if found else (unit.visitor, unit.user)
        self.session: SessionDocument | None = None
        self.claim: tuple[MarkDocument | None, int] = None, 0
        self.mark: MarkDocument | None = None
        self._holders: dict[str, str] = {}  # the ids that hold keys, with their users

    def run(self) -> Steps[bool]:
        """Commit the unit and acknowledge it. False: a hand-over is committed, and the unit itself is not yet."""
        if self.unit.kind == "profileless":
            yield from self._commit_mark()
            return True
        yield from self._act_under()
        yield from self._check_forgotten()
        yield from self.documents.load(self.acting)
        if (yield from self._is_repeat()):
            return True
        if self.unit.targets and self.acting not in self.documents.pool():
            raise Forgotten  # the look-up's profile is no more
        hands_over = yield from self._read_session()
        yield from self._join_first_user()
        for key, kind, alias in self._wanted(hands_over=hands_over):
            yield from self._bring(key, kind, alias=alias)
        if self.unit.alias_id and not hands_over:
            yield from self._join_id()
        if self.unit.targets:
            yield from self._claim_mark()
        yield from self._commit(hands_over=hands_over)
        return not hands_over

    # ---- whose unit it is ----------------------------------------------------------------------------------------

    def _act_under(self) -> Steps[None]:
        if self.unit.session is not None:
            session, _ = yield from get(f"session/{self.unit.session}", SessionDocument)
            self.session = session
            if session is not None:
                self._act_in(session)
        if self.unit.targets:  # the first claim decides
            self.claim = yield from get(f"mark/{self.unit.event}", MarkDocument)
            mark = self.claim[0]
            if mark is not None and mark.claim is not None and not self.process.wrong("claim_taken"):
                self.acting = mark.claim
        if self.process.wrong("mark_first"):
            self.mark, _ = yield from get(f"mark/{self.unit.event}", MarkDocument)

    def _act_in(self, session: SessionDocument) -> None:
        unit, user = self.unit, session.user
        self.acting, self.visitor, self.user = session.profile, session.visitor, user
        if self.process.wrong("bare_session") and unit.user != user != unit.hand_over:
            self.user = ""
        if self.process.wrong("new_guard") and unit.hand_over not in ("", user):
            self.visitor, self.user = session.profile, unit.hand_over
            self.acting = pair(self.visitor, self.user)

    def _check_forgotten(self) -> Steps[None]:
        names = [self.acting] + ([f"session/{self.unit.session}"] if self.unit.session else [])
        for name in names:
            if not self.process.wrong("forgotten_served") and (yield from is_forgotten(name)):
                raise Forgotten

    def _pending(self) -> list[Entry]:
        if self.process.wrong("unfinished"):
            return []
        return [entry for root in self.documents.roots.values() for entry in root.document.pending]

    def _is_repeat(self) -> Steps[bool]:
        """Acknowledge a unit that is committed, by its mark. It is read after the profile."""
        mark = self.mark
        if not self.process.wrong("mark_first"):
            mark, _ = yield from get(f"mark/{self.unit.event}", MarkDocument)
        first = next(
            ((entry.acting, entry.answer) for entry in self._pending() if entry.event == self.unit.event), None
        )
        if mark is not None and mark.claim is None:
            first = str(mark.profile), mark.answer
        if first is not None:
            acting, answer = first
            documents = Assembly(self.process)  # not as this process wrote it last: it may have moved
            yield from documents.load(acting)
            parts = documents.pool()
            ids = component(parts, acting) if acting in parts else frozenset()
            yield Acknowledge(answer, frozenset(event for id in ids for event in parts[id].log))
            return True
        if self.unit.targets and mark != self.claim[0]:
            raise Again
        return False

    def _read_session(self) -> Steps[bool]:
        """Read the session again, after the profile, or claim it; returns whether it is to be handed over."""
        unit = self.unit
        if unit.session is None:
            return False
        name, session = f"session/{unit.session}", self.session
        if not self.process.wrong("session_first"):
            session, _ = yield from get(name, SessionDocument)
        if session is None:
            session = SessionDocument(self.acting, self.visitor, self.user)
            yield from must(name, session, 0)
        for entry in self._pending():
            if entry.session_name == unit.session and entry.session and entry.session.version > session.version:
                session = entry.session
        if self.process.wrong("new_guard") and session.profile == self.visitor:
            session = structs.replace(session, profile=self.acting, visitor=self.visitor, user=self.user)
        if session.profile != self.acting:
            raise Again
        self.session = session
        if not unit.hand_over or unit.hand_over == session.user:
            return False
        if (yield from is_forgotten(pair(self.acting, unit.hand_over))):
            raise Forgotten
        return True

    # ---- what it joins -------------------------------------------------------------------------------------------

    def _wanted(self, *, hands_over: bool) -> list[tuple[str, Kind, bool]]:
        """The keys that the unit brings, proofs first. One that hands over brings those of its user only."""
        unit = self.unit
        wanted: list[tuple[str, Kind, bool]] = []
        if unit.kind == "undo":
            return wanted
        if self.user:
            wanted.append((f"{USER}:{self.user}", unit.by, False))
        if not hands_over:
            wanted += [(key, kind, False) for key, kind in unit.keys]
            if unit.alias and self.user:
                wanted.append((f"{USER}:{unit.alias}", unit.by, True))
        wanted.sort(key=lambda each: each[1] != "proof")
        if self._is_proven() or any(kind == "proof" for _, kind, _ in wanted):
            return [each for each in wanted if each[1] == "proof"]  # the claims of a proven one join no ids
        return wanted

    def _is_proven(self) -> bool:
        parts = self.documents.pool()
        return self.acting in parts and is_proven(parts, self.acting)

    def _join_first_user(self) -> Steps[None]:
        """The device, without a user, gets an own link to its first pair. Forgotten ids are joined with none."""
        if not self.user or self.unit.kind == "undo" or (yield from is_forgotten(self.visitor)):
            return
        yield from self.documents.load(self.visitor)
        self.documents.meant.append([Brought(self.visitor, Link(self.acting, "own"))])

    def _join_id(self) -> Steps[None]:
        other = self.unit.alias_id
        if other == self.acting or (yield from is_forgotten(other)):
            return
        stored, _ = yield from get("profile/" + other, ProfileDocument)
        if stored is not None:
            yield from self.documents.load(other)
            if other in self.documents.pool():
                self.documents.meant.append([Brought(self.acting, Link(other, self.unit.by))])

    def _bring(self, key: str, kind: Kind, *, alias: bool) -> Steps[None]:
        """Claim a key, or join the id that holds it: it has brought the key, whether its unit is committed or not."""
        one_key = self.process.wrong("one_key")
        name = "key/" + ("" if one_key else SIGNS[kind]) + key
        link = key_link(key, kind)
        mine = KeyDocument(self.acting, self.user, kind)
        links = [Brought(self.acting, link, alias)]
        held, version = yield from get(name, KeyDocument)
        if held is None:
            yield from must(name, mine, 0)
        elif held.id != self.acting:
            before = dict(self.documents.roots), dict(self.documents.frozen)
            if (yield from self._is_free(name, held, link)):
                self.documents.roots, self.documents.frozen = before
                if not self.process.wrong("no_repoint"):
                    yield from must(name, mine, version)
            elif one_key and kind == "proof" and held.kind == "claim":
                self.documents.roots, self.documents.frozen = before
                self.documents.over.append(LeftKey(name, (held.id,), mine))
            else:
                self._holders[held.id] = "" if self.process.wrong("bare_key") else held.user
                if kind == "claim" or not self.process.wrong("owner_only"):
                    links.insert(0, Brought(held.id, link, alias))
        self.documents.meant.append(links)

    def _is_free(self, name: str, held: KeyDocument, link: Link) -> Steps[bool]:
        """Load the holder of a key; returns whether the key may be written over: the holder's link has ended."""
        if not self.process.wrong("forgotten_joined") and (yield from is_forgotten(held.id)):
            return True
        yield from self.documents.load(held.id)
        parts = self.documents.pool()
        part = parts.get(held.id)
        if self.process.wrong("key_taken") and (part is None or link not in part.links):
            return True
        if part is None:
            return False
        if link not in part.ended and not (link.kind == "claim" and is_proven(parts, held.id)):
            return False
        again, _ = yield from get(name, KeyDocument)
        if again != held:
            raise Again  # it was left to another id meanwhile
        return True

    def _claim_mark(self) -> Steps[None]:
        mark, version = self.claim
        if mark is None or mark.claim != self.acting:
            yield from must(f"mark/{self.unit.event}", MarkDocument(self.acting, claim=self.acting), version)

    # ---- committing ----------------------------------------------------------------------------------------------

    def _commit(self, *, hands_over: bool) -> Steps[None]:
        unit, documents = self.unit, self.documents
        before, parts = documents.pool(), documents.pool()
        for id, user in ((self.acting, self.user), *self._holders.items()):
            parts.setdefault(id, StoredPart())
            if user:
                parts[id] = structs.replace(parts[id], user=user)
        for each in itertools.chain(*documents.meant):
            parts.setdefault(each.id, StoredPart())
        undone = self._undo(parts) if unit.kind == "undo" else None
        users = tuple((id, part.user) for id, part in parts.items())
        parts = documents.judge(parts)
        documents.release(parts, before, self.acting)
        entry = Entry(
            self.process.store.tick(),
            acting=self.acting,
            session_name=unit.session,
            session=self._session_after(hands_over=hands_over),
            users=users,
            undone=undone,
        )
        if not hands_over:
            entry = structs.replace(entry, event=unit.event, stored=unit.stored, emits=self._run(parts))
            if self.process.wrong("mark_trusted"):
                yield from must(f"mark/{unit.event}", MarkDocument(self.acting, min(documents.roots)), self.claim[1])
        yield from documents.commit(parts, entry, hands_over=hands_over)
        self.process.store.statistics["hand-overs"] += hands_over

    def _session_after(self, *, hands_over: bool) -> SessionDocument | None:
        session = self.session
        if session is None:
            return None
        version = session.version + 1
        if not hands_over:
            return structs.replace(session, version=version, count=session.count + 1)
        user = self.unit.hand_over
        return SessionDocument(pair(self.acting, user), self.acting, user, version, session.count)

    def _run(self, parts: Parts) -> bool:
        """Run the flow: add the event to its part; returns whether the profile is named as important by it."""
        part = parts[self.acting]
        part = structs.replace(part, log=(*part.log, self.unit.event), revenue=part.revenue + self.unit.amount)
        parts[self.acting] = part
        ids = component(parts, self.acting)
        emits = sum(parts[id].revenue for id in ids) >= IMPORTANT and not any(parts[id].important for id in ids)
        if emits:
            parts[self.acting] = structs.replace(part, important=True)
        return emits

    def _undo(self, parts: Parts) -> tuple[str, Link] | None:
        links = sorted(parts[self.acting].links)
        if not links:
            return None
        link = links[int(self.unit.event[1:]) % len(links)]
        undo(parts, self.acting, link)
        self.process.store.statistics["links undone"] += 1
        return self.acting, link

    def _commit_mark(self) -> Steps[None]:
        """Commit an event without a profile, with the creation of its mark."""
        name = f"mark/{self.unit.event}"
        mark, _ = yield from get(name, MarkDocument)
        if mark is None:
            entry = Entry(self.process.store.tick(), event=self.unit.event, stored=self.unit.stored)
            yield from must(name, MarkDocument(None, pending=(entry,)), 0)
            yield Acknowledge(None)
            yield from finish(self.process, "", entry)
        else:
            yield Acknowledge(None)
