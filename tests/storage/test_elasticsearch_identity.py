"""Units that join profiles and set them apart, in Elasticsearch: broken off at any write, and beside one another.

Whatever was broken off, other processes find every id in one profile, complete what is open, and lose nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count

import pytest
from msgspec import structs

from engine.ports.store import Unavailable
from engine.profile.document import Profile
from engine.profile.linking import is_one_group
from storage.elasticsearch.store import ElasticsearchStore
from storage.elasticsearch.tombstone_chain import ChainLink, node
from tests.storage.elasticsearch_indices import Indices
from tests.storage.failing_connection import FailingConnection, WriteFailure
from tests.storage.small_engine import Act, Clock, SmallEngine


async def settle(store: ElasticsearchStore) -> None:
    """Finish and complete everything, as sweeps and upkeep do."""
    engine = SmallEngine(store, Clock())
    for _ in range(4):
        await store.sweep(older_ms=0)
        for id in await store.unsettled(100, older_ms=0):
            await engine.settle(id)


async def at(store: ElasticsearchStore, id: str) -> ChainLink:
    return await node(store._reader, store._names, id)


async def checked(store: ElasticsearchStore, ids: Iterable[str]) -> dict[str, Profile]:
    """The profiles of these ids, after checking that each id is in exactly the one that its tombstones lead to."""
    stored = {id: await at(store, id) for id in sorted(ids)}
    living = {id: each for id, each in stored.items() if each.source is not None and each.source.living}
    holders = Counter(part for each in living.values() for part in each.ids)
    assert [id for id, times in holders.items() if times > 1] == []
    profiles = {}
    for id, each in stored.items():
        if each.source is None:
            continue
        assert not each.is_open, f"open: {id}"
        end = id
        while (leads := stored[end].leads) is not None:
            end = leads
        assert id in living[end].ids, f"{id} leads to {end}"
        profile = await store.profile(id)
        assert profile is not None
        assert profile.id == end
        assert is_one_group(profile), f"several groups in {end}"
        profiles[id] = profile
    return profiles


# ---- a unit that is broken off --------------------------------------------------------------------------------------

JOINING = (Act("1", "a", "k", "proof"), Act("2", "b"), Act("3", "b", "k", "proof"))
APART = (Act("1", "a", "k"), Act("2", "b", "k"), Act("3", "c", "k"), Act("4", "a", "e", "proof"))
JOINING_AND_APART = (
    Act("1", "a", "k"),
    Act("2", "b", "k"),
    Act("3", "c", "k"),
    Act("4", "d", "e", "proof"),
    Act("5", "a", "e", "proof"),
)
UNDOING = (*JOINING, Act("4", "c", "k", "proof"), Act("5", "d", "k", "proof"), Act("6", "a", undoes="k"))
HISTORIES = [
    pytest.param(JOINING, ["a b"], id="a merge"),
    pytest.param(APART, ["a", "b c"], id="a setting apart"),
    pytest.param(JOINING_AND_APART, ["a d", "b c"], id="a merge that sets others apart"),
    pytest.param(UNDOING, ["a", "b c d"], id="an undone link"),
]


async def play(engine: SmallEngine, acts: Sequence[Act], name: str) -> None:
    for act in acts:
        await engine.run(named(act, name))


def named(act: Act, name: str) -> Act:
    """The act in a history of its own."""
    key, undoes = [each and f"traits.{each}:{name:0>16}" for each in (act.key, act.undoes)]
    return structs.replace(act, id=f"{act.id}-{name}", key=key, undoes=undoes)


async def groups_of(store: ElasticsearchStore, acts: Sequence[Act], name: str) -> list[str]:
    """The ids that are together, after checking that every act left its cell exactly once."""
    ids = [f"{id}-{name}" for id in sorted({act.id for act in acts})]
    profiles = await checked(store, ids)
    for act in acts:
        profile = profiles[f"{act.id}-{name}"]
        assert profile.parts[f"{act.id}-{name}"].cells.get(act.name), f"{act.name} of history {name} was lost"
    return sorted({" ".join(id.removesuffix(f"-{name}") for id in sorted(each.parts)) for each in profiles.values()})


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("acts", "expected"), HISTORIES)
@pytest.mark.parametrize("completed", ["by the next unit", "by upkeep"])
async def test_a_process_may_end_before_any_write_of_a_unit_that_moves_ids(
    indices: Indices, acts: Sequence[Act], expected: list[str], completed: str
) -> None:
    other = indices.store()
    for nth in count(1):
        store = indices.store()
        await play(SmallEngine(other, Clock()), acts[:-1], f"{nth}")
        await store.counts()
        failing = FailingConnection(store, nth, WriteFailure.CRASH)
        came = await failing.until(_last(store, acts, f"{nth}"))
        if completed == "by upkeep":
            await settle(other)
            await checked(other, [f"{act.id}-{nth}" for act in acts])
        await play(SmallEngine(other, Clock()), acts[-1:], f"{nth}")
        if came:
            indices.stores.remove(store)
            await failing.late()
            await store._connection.close()
        await settle(other)
        found = await groups_of(indices.store(), acts, f"{nth}")
        assert found == expected, f"write {nth}"
        if not came:
            break
    assert nth > 3
    assert await indices.about("'pending'", "'frozen'", "'open'") == []


async def _last(store: ElasticsearchStore, acts: Sequence[Act], name: str) -> None:
    clock = Clock()
    await SmallEngine(store, clock).run(named(acts[-1], name))
    await store.close()  # what is written after the commit counts, too


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("acts", "expected"), HISTORIES)
@pytest.mark.parametrize("how", [WriteFailure.NOT_DONE, WriteFailure.UNHEARD], ids=lambda how: how.value)
async def test_any_write_of_a_unit_that_moves_ids_may_have_no_answer(
    indices: Indices, acts: Sequence[Act], expected: list[str], how: WriteFailure
) -> None:
    for nth in count(1):
        store = indices.store()
        clock = Clock()
        await play(SmallEngine(store, clock), acts[:-1], f"{nth}")
        await store._finisher.settled()
        failing = FailingConnection(store, nth, how)
        with suppress(Unavailable):
            await play(SmallEngine(store, clock), acts[-1:], f"{nth}")
        await play(SmallEngine(store, clock), acts[-1:], f"{nth}")
        await settle(store)
        found = await groups_of(indices.store(), acts, f"{nth}")
        assert found == expected, f"write {nth}"
        await store.close()
        if not failing.failed.is_set():
            break
    assert nth > 3
