"""The writes that follow a commit: of an entry, by any process, any number of times.

The order within an entry:
  1. the stored event, the emitted event with its delivery, the mark, the session (only over an older version): before
     anything leads past the document that carries the entry;
  2. the keys that are left to those who stay: before a document can be found that has no key any more;
  3. the closed tombstones;
  4. the documents that are split off, from the greatest rank (created, id) to the smallest, so that nothing frozen is
     found to lead to one that lives again.
Documents of 3 and 4 are written at exactly the listed versions; where another version is, another process has done it.
Entries of one document are finished in the order of their commits.
"""

from msgspec import structs

from tests.model.documents import (
    Entry,
    KeyDocument,
    MarkDocument,
    ProfileDocument,
    RecordDocument,
    SessionDocument,
)
from tests.model.process import Process
from tests.model.store import BLIND, Steps, attempt, get, must


def finish(process: Process, holder: str, entry: Entry) -> Steps[None]:
    """Finish an entry of the document `holder`. Raises `Again` when an outcome is unknown."""
    late = process.wrong("marks_last")
    if not late:
        yield from _records(process, entry)
    if not process.wrong("keys_last"):
        yield from _keys(entry)
    yield from _profiles(process, holder, entry)
    if process.wrong("keys_last"):
        yield from _keys(entry)
    if late:
        yield from _records(process, entry)
    process.done.add(entry.token)


def finish_document(process: Process, id: str) -> Steps[None]:
    """Finish all entries of a profile's document, then empty it. Raises `Again` when it has moved."""
    document, version = yield from get("profile/" + id, ProfileDocument)
    if document is None or not document.pending:
        return
    for entry in document.pending:
        yield from finish(process, id, entry)
    process.held.pop(id, None)
    yield from must("profile/" + id, structs.replace(document, pending=()), version)


def finish_mark(process: Process, key: str) -> Steps[None]:
    """Finish the entry of an event without a profile, whose mark carries it."""
    document, version = yield from get(key, MarkDocument)
    if document is None or not document.pending:
        return
    for entry in document.pending:
        yield from finish(process, "", entry)
    yield from attempt(key, structs.replace(document, pending=()), version)


def _records(process: Process, entry: Entry) -> Steps[None]:
    if entry.event is not None:
        record = RecordDocument(entry.acting)
        if entry.stored:
            yield from attempt(f"event/{entry.event}", record, 0)
        if entry.emits:
            yield from attempt(f"event/{entry.event}.emitted", record, 0)
            yield from attempt(f"delivery/{entry.event}", record, 0)
        if entry.acting:
            yield from _mark(entry)
    if entry.session is not None:
        yield from _session(process, f"session/{entry.session_name}", entry.session)


def _mark(entry: Entry) -> Steps[None]:
    name, settled = f"mark/{entry.event}", MarkDocument(entry.acting, entry.answer)
    while True:
        there, version = yield from get(name, MarkDocument)
        if there is not None and there.claim is None:
            return
        if (yield from attempt(name, settled, version)):
            return


def _session(process: Process, name: str, session: SessionDocument) -> Steps[None]:
    while True:
        there, version = yield from get(name, SessionDocument)
        if process.wrong("session_blind"):
            version = BLIND
        elif there is not None and there.version >= session.version:
            return
        if (yield from attempt(name, session, version)):
            return


def _keys(entry: Entry) -> Steps[None]:
    for left in entry.keys:
        there, version = yield from get(left.name, KeyDocument)
        if there is not None and there.id in left.old:
            yield from must(left.name, left.new, version)


def _profiles(process: Process, holder: str, entry: Entry) -> Steps[None]:
    """Close the tombstones, then write the profiles that are set apart."""
    apart = {id for each in entry.leaving for id in each.parts}
    closed = [(id, version, holder) for id, version in entry.took if id not in apart]
    closed += [(id, each.versions[id], each.id) for each in entry.leaving for id in each.parts if id != each.id]
    tombstones = [(id, version, ProfileDocument(into=end)) for id, version, end in closed]
    living = [
        (each.id, each.versions[each.id], ProfileDocument(created=each.created, parts=each.parts))
        for each in sorted(
            entry.leaving, key=lambda each: (each.created, each.id), reverse=not process.wrong("smallest_first")
        )
    ]
    first, last = (living, tombstones) if process.wrong("living_first") else (tombstones, living)
    for id, version, document in (*first, *last):
        blind = process.wrong("blind_split") and document.into is None
        process.held.pop(id, None)
        yield from attempt("profile/" + id, document, BLIND if blind else version)
