"""Versioned records in Elasticsearch, beyond the contract of kinds: claims, crashes, lost answers, races."""

import asyncio
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

import pytest
from msgspec import structs

from engine.ports.records import ProcessedEvent, RecordDelete, RecordWrite, Unit
from engine.ports.store import Conflict, Unavailable
from storage.elasticsearch.connection import Answer
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.build import event, mark, profile, write
from tests.storage.elasticsearch_indices import Indices
from tests.storage.failing_connection import FailingConnection, WriteFailure, commit_breaking_off
from tests.storage.kinds import ALL_KINDS, LETTERS, QUOTAS, REMARKS, Letter, letter, quota, remark
from tests.storage.test_elasticsearch_erasure import forgotten


def changing(*letters: Letter, gone: Sequence[str] = (), **members: object) -> Unit:
    """A unit that writes letters over the versions before theirs, and deletes others at version 1."""
    writes = [RecordWrite(LETTERS, one, one.version - 1) for one in letters]
    return structs.replace(Unit(**members), changes=(*writes, *[RecordDelete(LETTERS, id, 1) for id in gone]))  # type: ignore[arg-type]


def by_profile(name: str, **more: object) -> Unit:
    """Reads like an event of the profile `name`, which was not there before."""
    marks = (ProcessedEvent(source="web", event=name, at=10, profile=name),)
    return Unit(profiles=(write(name),), marks=marks, **more)  # type: ignore[arg-type]


def of_letter(unit: Unit, *letters: Letter, gone: Sequence[str] = ()) -> Unit:
    return structs.replace(unit, changes=changing(*letters, gone=gone).changes)


async def text_of(store: ElasticsearchStore, id: str = "l") -> tuple[int, str] | None:
    found = await store.record(LETTERS, id)
    return None if found is None else (found.version, found.state)


# ---- any write may fail --------------------------------------------------------------------------------------------

UNITS = {
    "profile": lambda n: by_profile(f"p{n}", events=(event(f"e{n}"),)),
    "mark": lambda n: Unit(marks=(mark(f"e{n}"),), events=(event(f"e{n}"),)),
    "record": lambda n: Unit(events=(event(f"e{n}"),)),
}


def whole(by: str, n: int) -> Unit:
    """A unit with records of all sorts, two of them changed, one deleted and one created."""
    records = {"remarks": (remark(f"r{n}", topic=f"t{n}"),), "quotas": (quota(f"q{n}"),)}
    unit = structs.replace(UNITS[by](n), records=records)
    return of_letter(unit, letter(f"a{n}", 2), letter(f"b{n}", 2), letter(f"new{n}"), gone=(f"c{n}",))


async def check_whole(store: ElasticsearchStore, n: int) -> None:
    """All of it has taken effect, once."""
    letters = [await store.record(LETTERS, f"{name}{n}") for name in ("a", "b", "c", "new")]
    assert letters == [letter(f"a{n}", 2), letter(f"b{n}", 2), None, letter(f"new{n}")], f"write {n}"
    assert await store.record(REMARKS, f"r{n}") == remark(f"r{n}", topic=f"t{n}"), f"write {n}"
    assert await store.record(QUOTAS, f"q{n}") == quota(f"q{n}")
    assert await store.event(f"e{n}") == event(f"e{n}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("by", UNITS)
async def test_a_process_may_end_before_any_write_of_a_unit_with_records(indices: Indices, by: str) -> None:
    for n in count(1):
        store, other = indices.store(ALL_KINDS), indices.store(ALL_KINDS)
        for name in ("a", "b", "c"):
            await store.commit(changing(letter(f"{name}{n}")))
        failing = FailingConnection(store, n, WriteFailure.CRASH)
        came = await failing.until(_closed(store, whole(by, n)))
        if came:
            await store._connection.close()
            indices.stores.remove(store)
            await again(other, whole(by, n), f"e{n}")
        await check_whole(other, n)
        if not came:
            break
    assert n > 9
    for _ in range(2):
        await other.sweep(older_ms=0)
    assert await indices.about("'pending'", "'unfinished'") == []
    counts = await other.counts()
    assert (counts["remarks"], counts["events"], counts["letters"]) == (n, n, 3 * n)


async def again(store: ElasticsearchStore, unit: Unit, id: str) -> None:
    """Commit a unit again that may have been committed; if it has not been, it must not conflict."""
    try:
        await store.commit(unit)
    except Conflict:
        await store.sweep(older_ms=0)
        assert await store.event(id) is not None


async def _closed(store: ElasticsearchStore, unit: Unit) -> None:
    await store.commit(unit)
    await store.close()  # what is written after the acknowledgement counts, too


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [WriteFailure.NOT_DONE, WriteFailure.UNHEARD], ids=lambda how: how.value)
@pytest.mark.parametrize("by", UNITS)
async def test_any_write_of_a_unit_with_records_may_have_no_answer(
    indices: Indices, by: str, how: WriteFailure
) -> None:
    for n in count(1):
        store = indices.store(ALL_KINDS)
        for name in ("a", "b", "c"):
            await store.commit(changing(letter(f"{name}{n}")))
        failing = FailingConnection(store, n, how)
        try:
            await store.commit(whole(by, n))
        except Unavailable:
            await store.commit(whole(by, n))
        await check_whole(store, n)
        await store.close()
        if not failing.failed.is_set():
            break
    assert n > 9
    counts = await indices.store(ALL_KINDS).counts()
    assert (counts["remarks"], counts["events"], counts["letters"]) == (n, n, 3 * n)


# ---- claims --------------------------------------------------------------------------------------------------------


async def test_a_claimed_record_is_as_it_was_and_another_unit_may_change_it(indices: Indices) -> None:
    owner, other = indices.store(ALL_KINDS), indices.store(ALL_KINDS)
    await owner.commit(changing(letter()))
    late = await commit_breaking_off(
        owner, of_letter(Unit(profiles=(write("ann"),)), letter(version=2, state="ann's")), 2
    )
    assert await text_of(other) == (1, "waiting")
    await other.commit(of_letter(Unit(profiles=(write("bob"),)), letter(version=2, state="bob's")))
    await late.late()  # the commit of the first, which has been fenced
    third = indices.store(ALL_KINDS)
    assert await third.profile("ann") is None
    assert await third.profile("bob") == profile("bob")
    assert await text_of(third) == (2, "bob's")


@pytest.mark.parametrize("unit", [
    pytest.param(changing(letter(version=2, state="late")), id="changed alone"),
    pytest.param(changing(gone=("l",)), id="deleted alone"),
    pytest.param(of_letter(Unit(profiles=(write("bob"),)), letter(version=2, state="late")), id="changed with another"),
    pytest.param(of_letter(Unit(marks=(mark("e"),)), gone=("l",)), id="deleted with a mark"),
])  # fmt: skip
@pytest.mark.parametrize("first", [
    pytest.param(Unit(profiles=(write("ann"),)), id="a profile"),
    pytest.param(Unit(marks=(mark("first"),)), id="a mark"),
    pytest.param(changing(letter("other", 2)), id="another record"),
])  # fmt: skip
async def test_what_was_committed_of_a_record_is_read_before_it_is_written(
    indices: Indices, first: Unit, unit: Unit
) -> None:
    owner, other = indices.store(ALL_KINDS), indices.store(ALL_KINDS)
    await owner.commit(changing(letter()))
    await owner.commit(changing(letter("other")))
    changes = (*first.changes, *changing(letter(version=2, state="done")).changes)
    await commit_breaking_off(
        owner, structs.replace(first, changes=changes, events=(event("e-1"),)), 3
    )  # nothing after the commit
    with pytest.raises(Conflict, match="record l"):
        await other.commit(unit)
    assert await text_of(other) == (2, "done")


async def test_a_deleted_record_does_not_come_back_when_its_creation_is_written_late(indices: Indices) -> None:
    owner, other = indices.store(ALL_KINDS), indices.store(ALL_KINDS)
    late = await commit_breaking_off(owner, of_letter(Unit(profiles=(write("ann"),)), letter()), 2)
    await other.profile("ann")  # which finishes what is pending
    await other.commit(changing(gone=("l",)))
    await late.late()
    assert await indices.store(ALL_KINDS).record(LETTERS, "l") is None
    with pytest.raises(Conflict, match="record l"):
        await other.commit(changing(letter()))


@pytest.mark.parametrize("later", [
    pytest.param(changing(letter(version=3, state="later")), id="changed"),
    pytest.param(Unit(changes=(RecordDelete(LETTERS, "l", 2),)), id="deleted"),
])  # fmt: skip
async def test_a_change_that_is_finished_again_undoes_no_later_one(indices: Indices, later: Unit) -> None:
    owner, other = indices.store(ALL_KINDS), indices.store(ALL_KINDS)
    await owner.commit(changing(letter()))
    first = Unit(profiles=(write("ann"),), events=(event("e-1"),))
    await commit_breaking_off(owner, of_letter(first, letter(version=2, state="first")), 3)  # nothing after the commit
    await other.profile("ann")  # which finishes what the document carries, and leaves it there
    await other.commit(later)
    third = indices.store(ALL_KINDS)
    await third.profile("ann")
    assert await text_of(third) == (None if isinstance(later.changes[0], RecordDelete) else (3, "later"))


class Pause:
    """Stands between a store and its server: the first request with a text waits until it may go on."""

    def __init__(self, store: ElasticsearchStore, text: str) -> None:
        self._request = store._connection.request
        self._text = text.encode()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        setattr(store._connection, "request", self.request)  # noqa: B010 - what mypy would not let us assign

    async def request(self, method: str, path: str, body: bytes | None = None, *more: Any, **named: Any) -> Answer:
        """As the connection's."""
        if path.startswith("/_bulk") and self._text in (body or b""):
            self.reached.set()
            await self.go_on.wait()
        return await self._request(method, path, body, *more, **named)


async def test_an_owner_that_tries_again_renews_its_claim(indices: Indices) -> None:
    """The other unit has fenced the owner's document, and is about to write when the owner is committed after all."""
    owner, other = indices.store(ALL_KINDS), indices.store(ALL_KINDS)
    await owner.commit(changing(letter()))
    await other.counts()
    committing, finishing = Pause(owner, '-profiles","_id"'), Pause(owner, '"state":"a"')
    writing = Pause(other, "-letters")
    first = asyncio.create_task(owner.commit(of_letter(Unit(profiles=(write("ann"),)), letter(version=2, state="a"))))
    await committing.reached.wait()
    second = asyncio.create_task(other.commit(changing(letter(version=2, state="b"))))
    await writing.reached.wait()
    committing.go_on.set()
    await first
    writing.go_on.set()
    (outcome,) = await asyncio.gather(second, return_exceptions=True)
    finishing.go_on.set()
    assert isinstance(outcome, Conflict)
    assert await text_of(other) == (2, "a")


async def test_traces_of_deleted_records_go_with_old_marks(indices: Indices) -> None:
    store = indices.store(ALL_KINDS)
    await store.commit(changing(letter()))
    await store.commit(changing(gone=("l",)))
    now = store._loader.now()
    await store.forget_marks(now - 60_000)
    assert len(await indices.about("gone")) == 1
    await store.forget_marks(now + 60_000)
    assert await indices.about("gone") == []


async def test_a_claim_for_a_profile_is_erased_with_it_and_the_record_is_kept(indices: Indices) -> None:
    store = indices.store(ALL_KINDS)
    await store.commit(Unit(profiles=(write("ann"),)))
    await store.commit(changing(letter(profile="bob")))
    await commit_breaking_off(
        indices.store(ALL_KINDS), of_letter(Unit(profiles=(write("ann", 1),)), letter(version=2)), 2
    )
    assert any("letters" in each for each in await indices.about("'ann'"))
    await forgotten(store, "ann")
    assert not any("letters" in each for each in await indices.about("'ann'"))
    assert await store.record(LETTERS, "l") == letter(profile="bob")


# ---- races ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_of_units_that_change_a_record_at_one_version_one_is_committed(indices: Indices, seed: int) -> None:
    """Whichever documents commit them, and whatever else they change."""
    rng, stores = Random(seed), [indices.store(ALL_KINDS) for _ in range(3)]
    await stores[0].commit(changing(letter("a")))
    await stores[0].commit(changing(letter("b")))
    won: list[tuple[str, int]] = []
    names = count()

    async def work(store: ElasticsearchStore) -> None:
        for _ in range(12):
            name = f"u{next(names)}"
            chosen = rng.choice((("a",), ("b",), ("a", "b"), ("b", "a")))
            read = {id: await store.record(LETTERS, id) for id in chosen}
            unit = rng.choice((Unit(), Unit(marks=(mark(name),)), by_profile(name)))
            changes = [
                RecordWrite(LETTERS, letter(id, one.version + 1), one.version) for id, one in read.items() if one
            ]
            unit = structs.replace(unit, changes=tuple(changes), records={"remarks": (remark(name),)})
            try:
                await store.commit(unit)
            except Conflict:
                continue
            won.extend([(change.id, change.expected) for change in changes])

    await asyncio.gather(*[work(store) for store in stores for _ in range(2)])
    assert len(set(won)) == len(won)
    for id in "ab":
        versions = sorted(expected for name, expected in won if name == id)
        assert versions == list(range(1, len(versions) + 1))
        assert await text_of(stores[0], id) == (len(versions) + 1, "waiting")
    assert len(won) > 10
