"""Export a profile: all stored data of it, for the person whom it describes.

The export has the profile, its sessions, and the records of all searchable kinds that belong to it: under any id that
was ever its own, and records of its sessions without a profile. It leaves out data of other people: ids of other
profiles and sessions, which work like keys to them, and the contents of a record that read another profile.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, Final

from msgspec import UNSET, Raw, Struct, structs

from engine.ports.erasure import DataSubject, EventName, event_name
from engine.ports.ids import derived_id
from engine.ports.kind import AnyKind
from engine.ports.kinds import KINDS
from engine.ports.records import StoredEvent
from engine.ports.resolve import require_profile, resolve_profile
from engine.ports.store import Searches, Store
from engine.search.field import Field, Searchable
from engine.search.query import AllOf, AnyOf, Exists, Is, Node, Not, Query

PAGE: Final = 500
AT_ONCE: Final = 50  # names in one query

LEFT_OUT: Final = Raw(b'"left out: it contains data of another profile"')

Exported = tuple[str, Struct]  # the name of a kind, and a record


def exported_kinds(kinds: Sequence[AnyKind] = KINDS) -> list[AnyKind]:
    """Return the kinds of which an export has records: searchable ones that belong to profiles."""
    return [kind for kind in kinds if kind.search is not None and kind.owners.profile is not None]


async def export(store: Store, id: str, kinds: Sequence[AnyKind] = KINDS) -> AsyncIterator[Exported]:
    """Yield the records of the profile that `id` leads to: first it, its sessions, then kind by kind, in their order.

    Raises `NotFound` if no profile has the id, and `Unavailable`.
    """
    profile = await require_profile(store, id)
    yield "profiles", profile
    subject = await _subject(store, frozenset({id, *profile.ids}))
    for source, name in sorted(subject.sessions):
        session = await store.session(source, name)
        if session is not None:
            yield "sessions", session
    secret = await store.secret()
    nobodys: set[EventName] = set()  # events without a profile: runs without one are found by them
    for kind in exported_kinds(kinds):
        async for record in _records(store, kind, subject, nobodys):
            if isinstance(record, StoredEvent) and record.profile is None:
                nobodys.add(event_name(record))
            yield (
                kind.name,
                _without_foreign_profiles(kind, _without_foreign_session(kind, record, subject, secret), subject),
            )


async def _subject(store: Store, ids: frozenset[str]) -> DataSubject:
    """Return what belongs to these ids, without that of other ids in a document that is not set apart yet."""
    subject = await store.data_subject(ids)
    profiles = {each: await resolve_profile(store, each) for each in sorted(subject.ids - ids)}
    others = {each for each, profile in profiles.items() if profile is not None and ids.isdisjoint(profile.ids)}
    if not others:
        return subject
    sessions = {name: await store.session(*name) for name in sorted(subject.sessions)}
    left_out = {name for name, session in sessions.items() if session is not None and session.profile in others}
    return DataSubject(subject.ids - others, subject.sessions - left_out)


# ---- what is of others ----------------------------------------------------------------------------------------------


def _without_foreign_session(kind: AnyKind, record: Any, subject: DataSubject, secret: bytes) -> Any:
    """Return the record without a session of another profile. A session that is not stored leads to its derived id."""
    field = kind.owners.session
    if field is None:
        return record
    source, session = record.source, getattr(record, field)
    if session is None or (source, session) in subject.sessions or derived_id(secret, source, session) in subject.ids:
        return record
    return structs.replace(record, **{field: None})


def _without_foreign_profiles(kind: AnyKind, record: Any, subject: DataSubject) -> Any:
    if kind.owners.withheld:
        record = structs.replace(record, **dict.fromkeys(kind.owners.withheld, UNSET))
    field = kind.owners.others
    if field is None or subject.ids.issuperset(getattr(record, field)):
        return record
    own = tuple([id for id in getattr(record, field) if id in subject.ids])
    return structs.replace(record, **{field: own}, **dict.fromkeys(kind.owners.shown, LEFT_OUT))


# ---- finding it -----------------------------------------------------------------------------------------------------


async def _records(store: Searches, kind: AnyKind, subject: DataSubject, events: set[EventName]) -> AsyncIterator[Any]:
    """The records of a kind that belong to the subject, each once; `events` are its events without a profile."""
    assert kind.searchable is not None  # noqa: S101
    yielded: set[str] = set()  # records without a profile, which are found by their sessions and by their events
    for node in queries_of(kind, subject, events):
        async for record in found_by(store, kind.searchable, node):
            if kind.event is not None and _profile(kind, record) is None:
                own = (record.source, getattr(record, kind.owners.session or "")) in subject.sessions
                own = own or (record.source, getattr(record, kind.event), kind.time_of(record)) in events
                if kind.id_of(record) in yielded or not own:
                    continue
                yielded.add(kind.id_of(record))
            yield record


def queries_of(kind: AnyKind, subject: DataSubject, events: Collection[EventName] = ()) -> list[Node]:
    """Return the queries for the records of a kind that belong to the subject, or to these events without a profile.

    Only a record that belongs to a session and to an event is found by two of them.
    """
    owners = kind.owners
    profile = owners.profile or ""
    without = Not(_is(profile, sorted(subject.ids)) if owners.named else Exists(Field(profile)))
    nodes: list[Node] = [_is(profile, some) for some in _parts(sorted(subject.ids))]
    if owners.session is not None:
        visits = [(source, some) for source, all in subject.sessions_by_source().items() for some in _parts(all)]
        nodes += [AllOf((_is("source", [source]), _is(owners.session, some), without)) for source, some in visits]
    if kind.event is not None:
        ids = sorted({id for _, id, _ in events})
        nodes += [AllOf((Is(Field(kind.event), tuple(some)), without)) for some in _parts(ids)]
    return nodes


async def found_by(store: Searches, searchable: Searchable, node: Node) -> AsyncIterator[Any]:
    """Yield all records that a query finds, the newest first. Raises `Unavailable`."""
    query, after = Query(searchable, node), None
    while True:
        page = await store.search(query, PAGE, after)
        for item in page.items:
            yield item
        after = page.after
        if after is None:
            break


def _profile(kind: AnyKind, record: Struct) -> Any:
    return getattr(record, kind.owners.profile or "")


def _is(name: str, texts: Sequence[str]) -> Node:
    return AnyOf(tuple([Is(Field(name), (text,)) for text in texts]))


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
