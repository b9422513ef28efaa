"""Combined units do what they do one after another."""

from random import Random
from typing import Any

import pytest
from msgspec import structs

from engine.ports.records import RecordDelete, RecordWrite, SessionRead, Unit
from engine.ports.store import Conflict
from engine.tracking.unit.combine import combine_units
from storage.memory import MemoryStore
from tests.storage.build import everything, run, session_write, whole_unit, write
from tests.storage.kinds import ALL_KINDS, LETTERS, QUOTAS, REMARKS, letter, quota, remark
from tests.storage.kinds_contract import found


def chained(rng: Random, count: int) -> list[Unit]:
    """Units each of which rests on those before it."""
    versions: dict[str, int] = {}
    units = []
    for n in range(count):
        changes: list[RecordWrite | RecordDelete] = []
        for id in rng.sample("abc", rng.randint(0, 3)):
            version = versions.get(id, 0)
            if version < 0:  # deleted: its id is not used again
                continue
            if version and rng.random() < 0.3:
                changes.append(RecordDelete(LETTERS, id, version))
                versions[id] = -1
            else:
                changes.append(RecordWrite(LETTERS, letter(id, version + 1, state=str(n)), version))
                versions[id] = version + 1
        records: dict[str, tuple[Any, ...]] = {"remarks": (remark(f"r-{n}"),)}
        if rng.random() < 0.5:
            records["quotas"] = (quota(rng.choice("ab"), left=n),)
        more = {"runs": (run(f"run {n}"),)} if rng.random() < 0.5 else {}
        units.append(structs.replace(whole_unit(n), records=records, changes=tuple(changes), **more))
    return units


async def held(store: MemoryStore) -> list[Any]:
    return [*await everything(store), *[await found(store, kind) for kind in (REMARKS, QUOTAS, LETTERS)]]


@pytest.mark.parametrize("seed", range(50))
async def test_a_combined_unit_writes_what_its_units_write(seed: int) -> None:
    units = chained(Random(seed), 6)
    apart, together = MemoryStore(kinds=ALL_KINDS), MemoryStore(kinds=ALL_KINDS)
    before = seed % 3  # these are committed already
    for unit in units[:before]:
        await together.commit(unit)
    for unit in units:
        await apart.commit(unit)
    await together.commit(combine_units(units[before:]))
    assert await held(together) == await held(apart)


async def test_a_record_that_is_created_and_deleted_by_combined_units_must_not_exist() -> None:
    store = MemoryStore(kinds=ALL_KINDS)
    units = [Unit(changes=(RecordWrite(LETTERS, letter(), 0),)), Unit(changes=(RecordDelete(LETTERS, "l", 1),))]
    await store.commit(combine_units(units))
    assert await store.record(LETTERS, "l") is None
    await store.commit(units[0])
    with pytest.raises(Conflict):
        await store.commit(combine_units(units))


async def test_a_combined_unit_checks_the_sessions_that_its_units_read() -> None:
    store = MemoryStore()
    await store.commit(Unit(sessions=(session_write("visit", 0),)))
    rests = Unit(profiles=(write("ann", 0, n=1),), session_reads=(SessionRead("web", "visit", 0),))
    with pytest.raises(Conflict):
        await store.commit(combine_units([rests, Unit(profiles=(write("ann", 1, n=2),))]))


async def test_units_that_read_different_versions_of_a_session_conflict_whatever_their_order() -> None:
    store = MemoryStore()
    await store.commit(Unit(sessions=(session_write("visit", 0),)))
    old, new = [Unit(session_reads=(SessionRead("web", "visit", version),)) for version in (0, 1)]
    for units in ([old, new], [new, old]):
        with pytest.raises(Conflict, match="session visit"):
            combine_units(units)
    await store.commit(combine_units([new, new]))
