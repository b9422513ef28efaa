"""Erasing in Elasticsearch what a process left half done: nothing of it is finished afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

import pytest
from msgspec import structs

from effects.clock import ManualClock
from engine.ports.erasure import DataSubject
from engine.ports.records import (
    CacheEntry,
    IdentityKey,
    ProcessedEvent,
    ProfileWrite,
    Session,
    SessionRead,
    SessionWrite,
    Unit,
)
from engine.tracking.operations.forgetting import Forgetter
from storage.elasticsearch import upkeep
from storage.elasticsearch.connection import Answer
from storage.elasticsearch.store import ElasticsearchStore
from tests.projects import project
from tests.storage.build import event, mark, profile, rejected, run, write
from tests.storage.elasticsearch_indices import Indices
from tests.storage.erasing_contract import of, there
from tests.storage.failing_connection import FailingConnection, WriteFailure, commit_breaking_off

VISIT = SessionWrite(Session("web", "visit", 1, "ann", 1), 0)
TOLD = ProcessedEvent("web", "e-1", 1, "visit")  # of an event without a profile: it names none
NOBODYS = event("e-1", profile=None)


class BeforeDeleting:
    """Stands between a store and its server: just before it deletes in an index, something else happens, once."""

    def __init__(self, store: ElasticsearchStore, index: str, *happens: Callable[[], Awaitable[object]]) -> None:
        self._request = store._connection.request
        self._start = b'{"delete":{"_index":"' + index.encode()
        self._happens = happens
        self.happened = False
        setattr(store._connection, "request", self.request)  # noqa: B010 - what mypy would not let us assign

    async def request(self, method: str, path: str, body: bytes | None = None, *more: Any, **named: Any) -> Answer:
        """As the connection's."""
        if self._start in (body or b"") and not self.happened:
            self.happened = True
            for each in self._happens:
                await each()
        return await self._request(method, path, body, *more, **named)


def forgetter(store: ElasticsearchStore) -> Forgetter:
    """Forgets; the files are looked at elsewhere, that takes half a minute."""

    class Quick:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def expunge(self) -> None:
            pass

    quick: Any = Quick()
    return Forgetter(quick, ManualClock(), project(), quiet_ms=0, pause=0)


async def forgotten(store: ElasticsearchStore, id: str, name: str = "the forgetting") -> None:
    one = forgetter(store)
    await one.finish(await one.begin(id, name))


LEFT: Sequence[Any] = (
    pytest.param(Unit(session_reads=(SessionRead("web", "visit", 1),), marks=(TOLD,), events=(NOBODYS,)), id="a mark"),
    pytest.param(
        Unit(rejected=tuple(structs.replace(rejected(id), session="visit") for id in ("x-1", "x-2"))),
        id="a document that is there for that only",
    ),
)


@pytest.mark.parametrize("unit", LEFT)
async def test_what_is_pending_in_a_document_of_nobody_is_erased_too(indices: Indices, unit: Unit) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),), sessions=(VISIT,)))
    await commit_breaking_off(indices.store(), unit, nth=2)
    await forgotten(store, "ann")
    await indices.store().sweep(older_ms=0)
    assert await indices.about("ann", "visit", "e-1", "x-1") == []


@pytest.mark.parametrize("gone", ["ann", "bob"])
async def test_of_two_profiles_whose_merge_was_begun_only_the_one_named_is_forgotten(
    indices: Indices, gone: str
) -> None:
    stays = {"ann": "bob", "bob": "ann"}[gone]
    store = indices.store()
    for id in ("ann", "bob"):
        await store.commit(Unit(profiles=(write(id, color=id),), events=(event(f"of-{id}", profile=id),)))
    both = structs.replace(profile("ann", 2), parts={**profile("ann").parts, **profile("bob").parts})
    unit = Unit(profiles=(ProfileWrite(both, 1), write("bob", 1, into="ann")))
    await commit_breaking_off(indices.store(), unit, 2)
    await forgotten(store, gone)
    other = indices.store()
    await other.sweep(older_ms=0)
    assert await other.profile(gone) is None
    kept = await other.profile(stays)
    assert kept is not None
    assert (kept.id, set(kept.parts)) == (stays, {stays})
    assert [await other.event(f"of-{id}") is not None for id in (gone, stays)] == [False, True]


async def test_what_a_kept_profile_carries_is_not_written_once_more(indices: Indices) -> None:
    # What ann did while she and bob were one profile is still carried by that document, although it is written.
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),), sessions=(VISIT,)))
    early = structs.replace(event("e-1", profile="ann"), session="visit")
    await store.commit(Unit(profiles=(write("bob"),), events=(early,)))
    await forgotten(store, "ann")
    other = indices.store()
    await other.sweep(older_ms=0)
    assert await indices.about("ann", "e-1", "visit") == []
    assert await other.profile("bob") is not None


async def test_the_claim_of_a_mark_that_nobody_kept_goes_with_whom_it_names(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),)))
    claiming = Unit(profiles=(write("ann", 1),), marks=(structs.replace(mark("e-1"), session=None),))
    await commit_breaking_off(indices.store(), claiming, nth=2)
    await forgotten(store, "ann")
    assert await indices.about("ann") == []


async def test_a_mark_goes_with_its_session_though_its_event_was_not_kept(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),), sessions=(VISIT,)))
    await store.commit(Unit(marks=(TOLD, structs.replace(TOLD, event="e-2", session="another visit"))))
    await forgotten(store, "ann")
    assert len(await indices.about('"visit"')) == 0
    assert list(await store.marks("web", ("e-1", "e-2"))) == ["e-2"]


OF_ANN = Unit(
    profiles=(write("ann"),),
    keys=(IdentityKey("k", "ann"),),
    marks=(structs.replace(mark("e-1", at=1), session=None),),
    cache=(CacheEntry("c", {"of": "ann"}, 1000, "ann"),),
)


@pytest.mark.parametrize(("kind", "takes"), [
    pytest.param(
        "keys", Unit(profiles=(write("bo"),), keys=(IdentityKey("k", "bo", ("ann",)),)), id="a proven key"
    ),
    pytest.param("cache", Unit(cache=(CacheEntry("c", {"of": "bo"}, 1000, "bo"),)), id="a cache entry"),
    pytest.param(
        "marks",
        Unit(profiles=(write("bo"),), marks=(ProcessedEvent("web", "e-1", 10, profile="bo"),)),
        id="a mark whose time was over",
    ),
])  # fmt: skip
async def test_what_somebody_else_takes_over_while_it_is_erased_is_theirs(
    indices: Indices, kind: str, takes: Unit
) -> None:
    store, other = indices.store(), indices.store()
    await store.commit(OF_ANN)
    await store.forget_marks(5)
    before = BeforeDeleting(store, f"{indices.prefix}-{kind}", lambda: other.commit(takes), other.counts)
    await store.erase(DataSubject(frozenset({"ann"})))
    assert before.happened
    key, marks, cached = await store.key("k"), await store.marks("web", ("e-1",)), await store.cached("c", 0)
    theirs = {
        "keys": key and key.id,
        "marks": [one.profile for one in marks.values()],
        "cache": cached and cached.value,
    }
    nobodys = {"keys": None, "marks": [], "cache": None}
    assert theirs == nobodys | {kind: {"keys": "bo", "marks": ["bo"], "cache": {"of": "bo"}}[kind]}
    assert (await store.erase(DataSubject(frozenset({"ann"})))).total() == 0


async def test_what_has_moved_while_it_is_erased_and_is_still_of_the_profile_goes_too(indices: Indices) -> None:
    store, other = indices.store(), indices.store()
    await store.commit(OF_ANN)
    proven = Unit(profiles=(write("ann", 1),), keys=(IdentityKey("k", "ann"),))
    before = BeforeDeleting(store, f"{indices.prefix}-keys", lambda: other.commit(proven), other.counts)
    assert (await store.erase(DataSubject(frozenset({"ann"}))))["keys"] == 1
    assert before.happened
    assert await store.key("k") is None


async def test_an_event_that_comes_while_others_are_erased_leads_to_its_run_the_next_time(indices: Indices) -> None:
    store, other = indices.store(), indices.store()
    await store.commit(
        Unit(profiles=(write("ann"),), sessions=(VISIT,), keys=(IdentityKey("k", "ann"),), events=(event("e-0"),))
    )
    late = Unit(events=(NOBODYS,), runs=(structs.replace(run("r-1", "e-1"), at=NOBODYS.received),))
    before = BeforeDeleting(store, f"{indices.prefix}-keys", lambda: other.commit(late), other.counts)
    subject = await store.data_subject(frozenset({"ann"}))
    await store.erase(subject)
    assert before.happened
    await store.erase(subject)
    assert await indices.about("e-1") == []


async def test_erasing_waits_for_a_sweep_that_is_under_way(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),), sessions=(VISIT,)))
    await commit_breaking_off(indices.store(), LEFT[0].values[0], nth=2)
    async with store._sweeper._lock:
        forgetting = asyncio.create_task(forgotten(store, "ann"))
        await asyncio.wait([forgetting], timeout=1)
    await forgetting
    assert await indices.about("ann", "visit", "e-1") == []


async def test_notes_are_found_however_many_there_are(indices: Indices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "NOTES", 2)
    store = indices.store()
    for name in "abcde":
        await store.keep_note(f"forgetting {name}", name.encode())
    assert [*(await store.notes("forgetting ")).values()] == [b"a", b"b", b"c", b"d", b"e"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [WriteFailure.CRASH, WriteFailure.UNHEARD], ids=lambda how: how.value)
async def test_a_forgetting_may_be_broken_off_at_any_write(indices: Indices, how: WriteFailure) -> None:
    store = indices.store()
    kept = of("bo")
    await store.commit(kept)
    before = await there(store, "bo")
    for nth in count(1):
        who = f"ann{nth}"
        await store.commit(of(who))
        await store.commit(Unit(profiles=(write(f"{who}'s other id", into=who),)))
        # Its run and its mark name another profile: only the event leads to them.
        led = event(f"{who}-3", profile=who)
        run_of, mark_of = structs.replace(run(f"led {who}", led.id), profile="cy", at=5), mark(led.id, at=5)
        await store.commit(Unit(events=(led,), runs=(run_of,), marks=(structs.replace(mark_of, profile="cy"),)))
        dying = indices.store()
        await dying.counts()
        failing = FailingConnection(dying, nth, how)
        came = await failing.until(forgotten(dying, who, f"{nth}"))
        if how is WriteFailure.CRASH and came:
            indices.stores.remove(dying)
            await dying._connection.close()
        other = forgetter(indices.store())
        for left in await other.left(-1):
            await other.finish(left)
        if (await other.one(f"{nth}")) is None:  # not even begun
            await forgotten(store, who, f"{nth}")
        if not came:
            break
    assert nth > 10
    assert await indices.about("ann") == []
    assert await there(store, "bo") == before
