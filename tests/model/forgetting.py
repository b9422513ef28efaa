"""Forgetting: erases the profile of an id, on its own and by any process that finds it incomplete.

One pass:
  1. Learn: the tombstones of the ids are written, so that later units of these ids are refused. Open tombstones that
     lead to them are completed, that is, judged: nothing has joined them yet. Then the ids that are in one profile with
     them by now, and their sessions, are forgotten, too.
  2. Remove: the profile's documents are emptied by compare-and-set, each with its entries finished, the living one
     first. They stay as removed: else a unit that loaded when there was none could create one.
  3. Empty: entries that any document carries are finished and leave it; they may write what belongs to these ids.
  4. Erase: the keys, sessions, marks, events and deliveries that belong to these ids.
The passes go on until one finds nothing that began after all tasks had ended that ran while the last thing was found:
one that had loaded before may write until then. At last the removed documents are deleted.
"""

from collections.abc import Callable

from msgspec import structs

from tests.model.assembly import complete
from tests.model.documents import (
    ForgettingDocument,
    KeyDocument,
    MarkDocument,
    ProfileDocument,
    RecordDocument,
    Refused,
    SessionDocument,
)
from tests.model.finishing import finish, finish_document, finish_mark
from tests.model.loading import load
from tests.model.process import Process
from tests.model.store import BLIND, Acknowledge, Again, Pause, Refuse, Steps, attempt, get, must

OWNED: dict[str, type[KeyDocument | SessionDocument | MarkDocument | RecordDocument]] = {
    "key/": KeyDocument,
    "session/": SessionDocument,
    "mark/": MarkDocument,
    "event/": RecordDocument,
    "delivery/": RecordDocument,
}


def forget(process: Process, id: str, quiet: Callable[[int], bool]) -> Steps[None]:
    """Forget an id; `quiet` says whether all tasks have ended that were running at that time."""
    for _ in range(40):
        try:
            started = yield from _start(process, id)
            if started:
                break
            yield Refuse()
            return
        except Again:
            pass
    else:
        yield Refuse()
        return
    yield from go_on(process, "forgetting/" + id, quiet)
    yield Acknowledge(None)


def go_on(process: Process, name: str, quiet: Callable[[int], bool]) -> Steps[None]:
    """Continue a forgetting until it is complete."""
    found_at = process.store.tick()
    while True:
        try:
            going, version = yield from get(name, ForgettingDocument)
            if going is None or going.complete:
                return
            calm = quiet(found_at) or process.wrong("forgotten_once")  # before the pass
            found = yield from Pass(process, name).run()
            if found:
                found_at = process.store.tick()
            elif calm:
                for id in sorted(going.ids):  # only of a wrong variant they are not yet there
                    yield from _refuse(id)
                yield from _delete(process, going.ids)
                yield from must(name, structs.replace(going, complete=True), version)
                return
            else:
                yield Pause()
        except Again:
            found_at = process.store.tick()


def _start(process: Process, id: str) -> Steps[bool]:
    name = "forgetting/" + id
    there, _ = yield from get(name, ForgettingDocument)
    if there is None:
        root, frozen = yield from load(process, id)
        if frozen:
            yield from complete(process, id)
            raise Again
        if id not in root.document.parts:
            return False
        yield from must(name, ForgettingDocument(frozenset({id})), 0)
    return True


class Pass:
    """One pass of a forgetting. Methods raise `Again`."""

    def __init__(self, process: Process, name: str) -> None:
        self.process = process
        self.store = process.store
        self.name = name
        self.found = False

    def run(self) -> Steps[bool]:
        """Learn, remove and erase; returns whether anything was there."""
        yield from self._learn()
        going, _ = yield from get(self.name, ForgettingDocument)
        if going is None:
            return False
        yield from self._remove(going.ids)
        if not self.process.wrong("entries_stay"):
            yield from self._empty()
        yield from self._erase(going)
        return self.found

    def _learn(self) -> Steps[None]:
        """Write tombstones of the ids, and add the ids and sessions that belong to them until there are no more."""
        while True:
            going, version = yield from get(self.name, ForgettingDocument)
            if going is None:
                return
            if not self.process.wrong("refused_last"):
                for id in sorted(going.ids):
                    yield from _refuse(id)
            ids = yield from self._together(going.ids)
            sessions = yield from self._sessions(ids)
            for session in sorted(sessions):
                yield from _refuse("session/" + session)
            more = ForgettingDocument(going.ids | ids, going.sessions | sessions)
            if more == going:
                return
            yield from must(self.name, more, version)

    def _together(self, ids: frozenset[str]) -> Steps[frozenset[str]]:
        """The ids that are in one profile with these."""
        found = set(ids)
        for key in self.store.keys("profile/"):
            document, _ = yield from get(key, ProfileDocument)
            if document is not None and document.open and document.into in ids:
                if self.process.wrong("frozen_forgotten"):
                    found.add(key.removeprefix("profile/"))
                else:
                    there, _ = yield from get(f"profile/{document.into}", ProfileDocument)
                    living = there is not None and not there.removed
                    yield from (complete if living else load)(self.process, key.removeprefix("profile/"))
                    raise Again
        for id in sorted(ids):
            document, _ = yield from get("profile/" + id, ProfileDocument)
            if document is not None and not (yield from self._leads_nowhere(document)):
                root, frozen = yield from load(self.process, id)
                if frozen:
                    yield from complete(self.process, id)
                    raise Again
                found |= root.document.parts.keys()
        return frozenset(found)

    def _leads_nowhere(self, document: ProfileDocument) -> Steps[bool]:
        """Whether a tombstone leads to a document that has been removed."""
        there: ProfileDocument | None = document
        while there is not None and there.into is not None and not there.open:
            there, _ = yield from get("profile/" + there.into, ProfileDocument)
        return there is None or there.removed

    def _sessions(self, ids: frozenset[str]) -> Steps[frozenset[str]]:
        found = set()
        for key in self.store.keys("session/"):
            session, _ = yield from get(key, SessionDocument)
            if session is not None and session.profile in ids:
                found.add(key.removeprefix("session/"))
        return frozenset(found)

    def _remove(self, ids: frozenset[str]) -> Steps[None]:
        """Remove the documents of the ids, the living ones first: tombstones lead to the rest until then."""
        stored: list[tuple[bool, str, ProfileDocument, int]] = []
        for id in sorted(ids):
            document, version = yield from get("profile/" + id, ProfileDocument)
            if document is not None and not document.removed:
                stored.append((document.into is not None, id, document, version))
        for tombstone, id, document, version in sorted(stored, key=lambda each: each[:2]):
            led_to = {document.into} if tombstone else document.parts.keys()
            if not led_to <= ids:
                raise Again  # merged a moment ago
            if document.pending and not self.process.wrong("removed_unfinished"):
                if any(entry.rearranges for entry in document.pending):
                    yield from finish_document(self.process, id)
                    raise Again
                for entry in self.process.unfinished(document.pending):
                    yield from finish(self.process, id, entry)
            self.process.held.pop(id, None)
            removed = None if self.process.wrong("removed_at_once") else ProfileDocument(removed=True)
            yield from must("profile/" + id, removed, BLIND if self.process.wrong("removed_blind") else version)
            self.found = True

    def _empty(self) -> Steps[None]:
        for key in self.store.keys("profile/"):
            yield from finish_document(self.process, key.removeprefix("profile/"))
        for key in self.store.keys("mark/"):
            yield from finish_mark(self.process, key)

    def _erase(self, going: ForgettingDocument) -> Steps[None]:
        for key in self.store.keys(*OWNED):
            kind = key[: key.index("/") + 1]
            if kind == "key/" and self.process.wrong("keys_stay"):
                continue
            document, version = yield from get(key, OWNED[kind])
            owner = document.id if isinstance(document, KeyDocument) else document and document.profile
            if document is not None and owner in going.ids:
                yield from must(key, None, version)
                self.found = True


def _refuse(name: str) -> Steps[None]:
    there, version = yield from get("refused/" + name, Refused)
    if there is None:
        yield from attempt("refused/" + name, Refused(), version)


def _delete(process: Process, ids: frozenset[str]) -> Steps[None]:
    """Delete the removed documents: no unit is left that read that there was none."""
    for id in sorted(ids):
        document, version = yield from get("profile/" + id, ProfileDocument)
        if document is not None and document.removed:
            yield from must("profile/" + id, None, version)
