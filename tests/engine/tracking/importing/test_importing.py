"""Imports: each row counts once whatever is killed and repeated, and the past changes nothing of the present."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from effects.virtual_time_loop import VirtualTimeLoop
from engine.language.path import Scope
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import StoredEvent
from engine.ports.rows import BadRow, Row
from engine.ports.store import Store, Unavailable
from engine.profile.key import KeyRules
from engine.profile.visits import visits
from engine.project.import_mapping import PLAIN, ImportMapping
from engine.project.mapping import MappedEvent
from engine.project.project import Project, Settings
from engine.project.source import Source
from engine.search.parse import parse
from engine.tracking.importing.history import ImportPipelines
from engine.tracking.importing.importing import (
    ImportJob,
    NothingTaken,
    Part,
    PartResult,
    RefusedRow,
    advanced,
    import_rows,
)
from engine.tracking.importing.ledger import AlreadyImported, ImportLedger, ImportRecord, OtherImport
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.pipeline.pipeline import Pipeline
from storage.memory import MemoryStore
from tests.engine.tracking.importing.stores import Died, DyingStore, Unbounded

SOURCE = Source(source="history", accepts=("import",), identify="trust")
NOW = 1_700_000_000_000
JOB = ImportJob(digest="d" * 64, file="orders.csv", source=SOURCE, mapping=PLAIN)


def project(*flows: Any) -> Project:
    keys = structs.replace(KeyRules(), user=("traits", "user_id"))
    return Project(settings=Settings(keys=keys), sources={"history": SOURCE}, flows=flows)


async def stored_events(store: Store) -> list[StoredEvent]:
    page = await store.search(parse("", SEARCHABLE["events"], NOW), 1_000)
    return [event for event in page.items if isinstance(event, StoredEvent)]


async def pipelines(store: Any) -> ImportPipelines:
    numbers = iter(range(1_000_000))
    pipeline = Pipeline(project(), store, ScriptedPerformer(), ManualClock(NOW), lambda: f"id-{next(numbers):06}")
    await pipeline.start()
    return ImportPipelines(pipeline, Unbounded())


def row(number: int, **value: Any) -> Row:
    value = {"type": "order", "user": f"u{number % 3}", **value}
    return Row(number, number + 1, msgspec.json.encode(value), value)


def rows(count: int) -> list[Row | BadRow]:
    return [row(number, total=number) for number in range(1, count + 1)]


async def parts(all: Sequence[Row | BadRow], size: int, skip: int = 0) -> AsyncIterator[Part]:
    left = [each for each in all if each.number > skip]
    for at in range(0, len(left), size):
        yield left[at : at + size]


async def imported(store: Any, all: Sequence[Row | BadRow], size: int = 4, *, by: str = "a") -> ImportRecord:
    """Import rows as one run of the command does."""
    importing = await (await pipelines(store)).importing(flows=False)
    ledger = ImportLedger(store)
    record = await ledger.begin(JOB.key, JOB.file, NOW, by)
    async for progress in import_rows(importing, ledger, JOB, record, parts(all, size, record.rows)):
        record = progress.record
    return await ledger.advance(JOB.key, record, structs.replace(record, finished=NOW))


async def test_rows_become_events_of_their_persons(store: Store) -> None:
    record = await imported(store, rows(9))
    assert (record.rows, record.stored, record.refused, record.finished) == (9, 9, 0, NOW)
    events = await stored_events(store)
    assert sorted(event.properties["total"] for event in events) == [*range(1, 10)]
    assert len({event.profile for event in events}) == 3


async def test_a_file_is_imported_once(store: Store) -> None:
    first = await imported(store, rows(5))
    with pytest.raises(AlreadyImported) as raised:
        await imported(store, rows(5))
    assert raised.value.record == first
    ledger = ImportLedger(store)
    assert (await ledger.begin(JOB.key, "copy.csv", NOW, "b", again=True)).rows == 0
    assert await ledger.records(JOB.digest)


@given(deaths=st.lists(st.integers(0, 30), max_size=4), size=st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_each_row_counts_once_however_often_the_import_dies(deaths: list[int], size: int) -> None:
    async def law() -> None:
        memory = MemoryStore()
        for writes in deaths:
            with suppress(Died, ExceptionGroup, AlreadyImported):
                await imported(DyingStore(memory, writes), rows(11), size, by=f"run {writes}")
        with suppress(AlreadyImported):
            await imported(memory, rows(11), size, by="last")
        (record,) = (await ImportLedger(memory).records(JOB.digest)).values()
        assert (record.rows, record.stored, record.refused, record.finished) == (11, 11, 0, NOW)
        events = await stored_events(memory)
        assert sorted(event.properties["total"] for event in events) == [*range(1, 12)]

    asyncio.run(law())


class Refunds:
    """A mapping of rows."""

    def event(self, scope: Scope) -> MappedEvent:
        return MappedEvent(type="refund", user=scope["row"]["user"])


async def test_two_mappings_make_different_events_of_the_same_rows(store: Store) -> None:
    importing = await (await pipelines(store)).importing(flows=False)
    refunds = ImportMapping(name="refunds", mapping=Refunds(), text="refunds")
    assert (await importing.do(JOB, rows(2))).repeated == 0
    assert await importing.do(structs.replace(JOB, mapping=refunds), rows(2)) == PartResult(2, 2, 0)
    assert sorted(event.type for event in await stored_events(store)) == ["order", "order", "refund", "refund"]


async def test_rows_that_were_events_before_are_counted_as_such(store: Store) -> None:
    importing = await (await pipelines(store)).importing(flows=False)
    await importing.do(JOB, rows(3))
    result = await importing.do(JOB, rows(5))
    assert result == PartResult(5, 5, 0, repeated=3)
    assert len(await stored_events(store)) == 5
    assert (advanced(ImportRecord(file="x", begun=NOW, by="a"), result)).repeated == 3


async def test_rows_of_a_person_who_was_forgotten_are_counted_as_such(store: Store) -> None:
    importing = await (await pipelines(store)).importing(flows=False)
    await importing.do(JOB, [row(1), row(2, leaves=True)])
    forgotten = next(event.profile for event in await stored_events(store) if event.properties)
    assert forgotten is not None
    forgetter = Forgetter(store, ManualClock(NOW), project(), quiet_ms=0, pause=0)
    await forgetter.finish(await forgetter.begin(forgotten, "the forgetting"))
    result = await importing.do(JOB, [row(3, user="u1"), row(4, user="u2"), row(5, user="u2")])
    assert (result.stored, result.forgotten) == (1, 2)


async def test_of_two_imports_of_one_file_one_goes_on(store: Store) -> None:
    ends = await asyncio.gather(
        imported(store, rows(20), 3, by="a"), imported(store, rows(20), 3, by="b"), return_exceptions=True
    )
    assert sum(isinstance(end, OtherImport | AlreadyImported) for end in ends) == 1
    assert len(await stored_events(store)) == 20


async def test_bad_rows_are_rejected_with_their_file_and_line(store: Store) -> None:
    bad = [BadRow(2, 3, b"4712,x", "a quote is not closed"), Row(3, 4, b"{}", {"user": "u1"})]
    importing = await (await pipelines(store)).importing(flows=False)
    result = await importing.do(JOB, [row(1), *bad, row(4)])
    assert (result.rows, result.stored, result.bad) == (4, 2, 2)
    assert result.refused == (
        RefusedRow(2, 3, "a quote is not closed"),
        RefusedRow(3, 4, "`row.type` is absent"),
    )
    reasons = sorted(rejected.reason for rejected in await store.rejected(10))
    assert reasons == ["orders.csv, line 3: a quote is not closed", "orders.csv, line 4: `row.type` is absent"]


async def test_an_import_ends_if_no_row_of_the_first_part_is_taken(store: Store) -> None:
    nothing: list[Row | BadRow] = [Row(number, number, b"{}", {}) for number in range(1, 31)]
    with pytest.raises(NothingTaken, match=r"all of the first 30 rows were refused; line 1: `row\.type` is absent"):
        await imported(store, nothing, 30)
    assert (await ImportLedger(store).records(JOB.digest))[JOB.key.note].rows == 0
    record = ImportRecord(file="x", begun=NOW, by="a", rows=500)
    importing = await (await pipelines(store)).importing(flows=False)
    assert advanced(record, await importing.do(JOB, nothing)).refused == 30


async def test_the_past_makes_no_session_and_no_visit(store: Store) -> None:
    importing = await (await pipelines(store)).importing(flows=False)
    await importing.do(JOB, [row(1, time="2020-01-01T00:00:00Z", session="s-1")])
    (event,) = await stored_events(store)
    assert event.profile is not None
    profile = await store.profile(event.profile)
    assert profile is not None
    assert visits(profile) == {"first_seen": 1_577_836_800_000, "visits": 0}
    assert await store.session("history", "s-1") is None


def test_a_store_that_is_away_is_tried_again_for_a_minute() -> None:
    async def tried() -> float:
        memory = MemoryStore()
        importing = await (await pipelines(memory)).importing(flows=False)
        memory.commit = _away  # type: ignore[method-assign]
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable):
            await importing.do(JOB, [row(1)])
        return asyncio.get_running_loop().time() - began

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert 30 < runner.run(tried()) < 90


async def _away(*_: Any) -> Any:
    raise Unavailable("the store is away")
