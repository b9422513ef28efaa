"""Exporting a profile: all that is stored of it, for whom it is about.

That is the profile, its sessions, events and runs under any id that was ever its own, what came in its sessions without
a profile, and the rejected events of its sessions or that named it. Not what leads to others: ids of other profiles and
sessions are as good as keys to them, and a run that was shown another profile has that in its trace.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar

from msgspec import Raw, Struct, structs

from engine.ports.erasure import DataSubject
from engine.ports.ids import derived_id
from engine.ports.records import Rejected, RunRecord, StoredEvent
from engine.ports.resolve import require_profile
from engine.ports.store import Store
from engine.search.field import Field, Kind
from engine.search.query import AllOf, AnyOf, Exists, Is, Node, Not, Query

PAGE: Final = 500
AT_ONCE: Final = 50  # names in one query
NOBODYS: Final = Not(Exists(Field("profile")))

LEFT_OUT: Final = Raw(b'"left out: it was shown the profile of somebody else"')

T = TypeVar("T", StoredEvent, RunRecord, Rejected)
InSession = TypeVar("InSession", StoredEvent, RunRecord, Rejected)
Exported = tuple[Kind, Struct]
EventName = tuple[str, str, int]  # source, id and time: ids may be used again


async def export(store: Store, id: str) -> AsyncIterator[Exported]:
    """The records of the profile that `id` leads to: its own, then sessions, events, runs, rejected events.

    Raises `NotFound` when nobody has the id, and `Unavailable`.
    """
    profile = await require_profile(store, id)
    yield "profiles", profile
    subject = await store.data_subject(frozenset({id, *profile.ids}))
    for source, name in sorted(subject.sessions):
        session = await store.session(source, name)
        if session is not None:
            yield "sessions", session
    secret = await store.secret()
    nobodys: set[EventName] = set()
    async for event in _found(store, StoredEvent, "events", [*_of_ids(subject), *_of_visits(subject, NOBODYS)]):
        yield "events", _without_foreign_session(event, subject, secret)
        if event.profile is None:
            nobodys.add((event.source, event.id, event.received))
    bare: set[str] = set()  # runs without a profile, which are found by their sessions and by their events
    of_runs = [*_of_ids(subject), *_of_visits(subject, NOBODYS), *_of_events(nobodys)]
    async for run in _found(store, RunRecord, "runs", of_runs):
        if run.profile is None:
            own = (run.source, run.session) in subject.sessions or (run.source, run.event, run.at) in nobodys
            if run.id in bare or not own:
                continue
            bare.add(run.id)
        yield "runs", _without_foreign_profiles(_without_foreign_session(run, subject, secret), subject)
    unnamed = Not(_is("profile", sorted(subject.ids)))  # the others are found by their ids
    async for rejected in _found(store, Rejected, "rejected", [*_of_ids(subject), *_of_visits(subject, unnamed)]):
        yield "rejected", _without_foreign_session(rejected, subject, secret)


# ---- what is of others ----------------------------------------------------------------------------------------------


def _without_foreign_session(record: InSession, subject: DataSubject, secret: bytes) -> InSession:
    """A session that leads to somebody else is left out. One that is not stored leads to the id derived from it."""
    source, session = record.source, record.session
    if session is None or (source, session) in subject.sessions or derived_id(secret, source, session) in subject.ids:
        return record
    return structs.replace(record, session=None)


def _without_foreign_profiles(run: RunRecord, subject: DataSubject) -> RunRecord:
    if subject.ids.issuperset(run.other_profiles):
        return run
    return structs.replace(
        run, other_profiles=tuple([id for id in run.other_profiles if id in subject.ids]), trace=LEFT_OUT
    )


# ---- finding it -----------------------------------------------------------------------------------------------------


async def _found(store: Store, type: type[T], kind: Kind, nodes: Sequence[Node]) -> AsyncIterator[T]:
    """What any of these finds, one after the other."""
    for node in nodes:
        query, after = Query(kind, node), None
        while True:
            page = await store.search(query, PAGE, after)
            for item in page.items:
                assert isinstance(item, type)  # noqa: S101
                yield item
            after = page.after
            if after is None:
                break


def _of_ids(subject: DataSubject) -> list[Node]:
    return [_is("profile", some) for some in _parts(sorted(subject.ids))]


def _of_visits(subject: DataSubject, which: Node) -> list[Node]:
    visits = [(source, some) for source, all in subject.sessions_by_source().items() for some in _parts(all)]
    return [AllOf((_is("source", [source]), _is("session", some), which)) for source, some in visits]


def _of_events(names: set[EventName]) -> list[Node]:
    ids = sorted({id for _, id, _ in names})
    return [AllOf((Is(Field("event"), tuple(some)), NOBODYS)) for some in _parts(ids)]


def _is(name: str, texts: Sequence[str]) -> Node:
    return AnyOf(tuple([Is(Field(name), (text,)) for text in texts]))


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
