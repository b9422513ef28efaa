"""Units that join profiles and set them apart, in Elasticsearch: broken off at any write, and beside one another.

Whatever was broken off, other processes find every id in one profile, complete what is open, and lose nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any

import pytest
from msgspec import structs

from engine.ports.records import IdentityKey, ProfileWrite, SessionWrite, Unit
from engine.ports.store import Conflict, Unavailable
from engine.profile.document import Profile
from engine.profile.grouping import tombstone
from engine.profile.linking import Pool, component, is_one_group, is_proven
from storage.elasticsearch.store import ElasticsearchStore
from storage.elasticsearch.tombstone_chain import ChainLink, node
from tests.storage.build import event, mark, session, write
from tests.storage.elasticsearch_indices import Indices
from tests.storage.failing_connection import FailingConnection, WriteFailure, commit_breaking_off
from tests.storage.small_engine import Act, Clock, Kind, SmallEngine


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


def check_waits(profiles: Mapping[str, Profile], acts: Iterable[Act]) -> None:
    """Check that the wait of each act is in the profile that has its id, and nowhere else; and no profile due late."""
    living = {profile.id: profile for profile in profiles.values()}.values()
    homes = Counter((wait.run, profile.id) for profile in living for wait in profile.waits)
    assert homes == Counter((act.name, profiles[act.id].id) for act in acts)
    late = [
        profile for profile in living if profile.due is None or any(wait.due < profile.due for wait in profile.waits)
    ]
    assert late == []


async def groups_of(store: ElasticsearchStore, acts: Sequence[Act], name: str) -> list[str]:
    """The ids that are together, after checking that every act left its cell exactly once."""
    ids = [f"{id}-{name}" for id in sorted({act.id for act in acts})]
    profiles = await checked(store, ids)
    for act in acts:
        profile = profiles[f"{act.id}-{name}"]
        assert profile.parts[f"{act.id}-{name}"].cells.get(act.name), f"{act.name} of history {name} was lost"
    check_waits(profiles, [named(act, name) for act in acts])
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
        await store._finisher.idle()
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


# ---- units beside one another ---------------------------------------------------------------------------------------


class Devices:
    """Units of a few devices that bring a few keys, at random, sent from several processes; some processes end."""

    def __init__(self, indices: Indices, seed: int) -> None:
        self.rng = Random(seed)
        self.indices = indices
        self.clock = Clock()
        self.names = count()
        self.sent: list[Act] = []
        self.done: list[Act] = []

    def act(self) -> Act:
        """The next unit."""
        rng = self.rng
        key = rng.choice(("traits.k", "traits.e", None))
        chosen = None if key is None else f"{key}:{'0' * 16}"
        kind: Kind = "proof" if rng.random() < 0.3 else "claim"
        undoes = f"traits.k:{'0' * 16}" if rng.random() < 0.1 else None
        return Act(f"u{next(self.names)}", rng.choice("abcdef"), chosen, kind, undoes)

    async def process(self, acts: int, *, ends: bool) -> None:
        """A process that sends some units one after the other; it may end in the middle of one."""
        store = self.indices.store()
        await store.counts()
        if not ends:
            await self._send(store, acts)
            return
        failing = FailingConnection(store, self.rng.randint(1, 25), WriteFailure.CRASH)
        sending, ending = asyncio.create_task(self._send(store, acts)), asyncio.create_task(failing.failed.wait())
        await asyncio.wait([sending, ending], return_when=asyncio.FIRST_COMPLETED)
        if failing.failed.is_set():
            await failing.quiet()
            self.indices.stores.remove(store)
            background = [entry.task for entry in store._finisher._begun.values()]
            tasks = [each for each in (sending, *background, store._writer._task, *store._reader._tasks) if each]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await failing.late()
            await store._connection.close()
        ending.cancel()
        await asyncio.gather(sending, ending, return_exceptions=True)

    async def _send(self, store: ElasticsearchStore, acts: int) -> None:
        engine = SmallEngine(store, self.clock)
        for _ in range(acts):
            act = self.act()
            self.sent.append(act)
            with suppress(Unavailable):
                await engine.run(act)
                self.done.append(act)
            if self.rng.random() < 0.1:
                for id in await store.unsettled(9, older_ms=0):
                    await engine.settle(id)
        await store.close()


def names_of(profile: Profile) -> list[str]:
    """The names of the acts that left a cell in a profile."""
    return [name for part in profile.parts.values() for name in part.cells]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(6))
async def test_units_beside_one_another_lose_nothing_and_keep_every_id_in_one_profile(
    indices: Indices, seed: int
) -> None:
    devices = Devices(indices, seed)
    await indices.store().counts()
    await asyncio.gather(*[devices.process(9, ends=n > 2) for n in range(5)])
    last = indices.store()
    await settle(last)
    profiles = await checked(last, "abcdef")
    stored = [name for profile in {each.id: each for each in profiles.values()}.values() for name in names_of(profile)]
    check_waits(profiles, [act for act in devices.sent if act.name in stored])
    lost = [act.name for act in devices.done if act.name not in profiles[act.id].parts[act.id].cells]
    assert lost == []
    assert len(devices.done) >= 27
    for profile in profiles.values():
        pool = Pool.of(profile)
        if is_proven(pool, frozenset(pool.parts)):  # no claim joins anybody to the proven
            assert component(pool, profile.id, claims=False) == frozenset(pool.parts)
    holders: dict[str, set[str]] = {}
    for profile in profiles.values():
        for link in profile.links.values():
            if link.holds:
                holders.setdefault(link.right, set()).add(profile.id)
    assert {key: ids for key, ids in holders.items() if len(ids) > 1} == {}
    assert await indices.about("'pending'", "'frozen'", "'open'") == []


# ---- sessions -------------------------------------------------------------------------------------------------------


def leading(version: int, profile: str, **properties: Any) -> SessionWrite:
    """A write of the session `visit` that leads to a profile."""
    return SessionWrite(structs.replace(session("visit", version, **properties), profile=profile), version - 1)


HANDED = Unit(
    profiles=(write("ann", 1),),
    sessions=(leading(2, "bo"),),
    marks=(structs.replace(mark("e-1"), profile="ann"),),
    events=(event("e-1"),),
)


async def with_session(store: ElasticsearchStore) -> None:
    await store.commit(Unit(profiles=(write("ann"),), sessions=(leading(1, "ann"),)))
    await store.commit(Unit(profiles=(write("bo"),)))


@pytest.mark.parametrize("nth", range(1, 7))
async def test_a_session_is_handed_over_by_the_commit_of_the_profile_that_it_leaves(indices: Indices, nth: int) -> None:
    """The process ends before its n-th write: of the commit, of the mark, or of the session."""
    await with_session(indices.store())
    store, reader = indices.store(), indices.store()
    await store.counts()
    failing = FailingConnection(store, nth, WriteFailure.CRASH)
    await failing.until(_closing(store, HANDED))
    await store._connection.close()
    first = await reader.session("web", "visit")
    assert first is not None
    if first.profile == "bo":  # who finds it there finds that the event has taken effect
        assert list(await reader.marks("web", ("e-1",))) == ["e-1"]
    ann = await reader.profile("ann")
    committed = ann is not None and ann.version == 2
    assert committed or nth < 4
    assert await reader.session("web", "visit") == leading(1 + committed, "bo" if committed else "ann").session
    assert list(await reader.marks("web", ("e-1",))) == ["e-1"] * committed


async def _closing(store: ElasticsearchStore, unit: Unit) -> None:
    await store.commit(unit)
    await store.close()


async def test_a_handed_over_session_is_guarded_by_the_profile_that_it_leads_to(indices: Indices) -> None:
    store, other = indices.store(), indices.store()
    await with_session(store)
    await other.profile("bo")
    await store.commit(HANDED)
    with pytest.raises(Conflict, match="session visit"):  # as it was before
        await other.commit(Unit(profiles=(write("ann", 2),), sessions=(leading(2, "ann"),)))
    await other.profile("ann")
    await other.commit(Unit(profiles=(write("bo", 1),), sessions=(leading(3, "bo", page=1),)))
    with pytest.raises(Conflict, match="session visit"):
        await store.commit(Unit(sessions=(leading(3, "bo", page=2),)))
    assert await store.session("web", "visit") == leading(3, "bo", page=1).session


async def test_a_repeat_behind_a_handed_over_session_does_not_take_effect_again(indices: Indices) -> None:
    """The other process found the event's mark absent, and only then that the session leads elsewhere."""
    store, other = indices.store(), indices.store()
    await with_session(store)
    assert await other.profile("bo") is not None
    assert await other.session("web", "visit") == leading(1, "ann").session
    assert await other.marks("web", ("e-1",)) == {}
    await store.commit(HANDED)
    await store._finisher.idle()
    assert await other.session("web", "visit") == leading(2, "bo").session
    repeat = Unit(profiles=(write("bo", 1),), sessions=(leading(3, "bo"),), marks=HANDED.marks, events=(event("e-1"),))
    with pytest.raises(Conflict, match="mark e-1"):
        await other.commit(repeat)


async def test_sessions_of_all_profiles_of_a_unit_are_written_with_it(indices: Indices) -> None:
    """`bo` is joined with `ann`, and its session is written in the same unit."""
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),)))
    await store.commit(Unit(profiles=(write("bo"),), sessions=(leading(1, "bo"),)))
    bo, ann = await store.profile("bo"), await store.profile("ann")
    assert bo is not None
    assert ann is not None
    joined = structs.replace(ann, version=2, parts={**ann.parts, **bo.parts})
    unit = Unit(
        profiles=(ProfileWrite(joined, 1), ProfileWrite(tombstone(bo, "ann"), 1)), sessions=(leading(2, "bo", page=1),)
    )
    await commit_breaking_off(indices.store(), unit, 2)  # nothing but the freezing
    assert await indices.store().session("web", "visit") == leading(1, "bo").session
    late = indices.store()
    await late.commit(Unit(sessions=(leading(2, "bo", page=2),)))  # guarded by `ann`, where the open tombstone leads
    with pytest.raises(Conflict):
        await store.commit(unit)
    assert await late.session("web", "visit") == leading(2, "bo", page=2).session


async def test_keys_that_are_left_are_not_left_by_a_late_process(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),), keys=(IdentityKey("k", "ann"),)))
    unit = Unit(profiles=(write("ann", 1),), left_keys=(IdentityKey("k", "bo", ("ann",)),))
    late = await commit_breaking_off(indices.store(), unit, 2)
    other = indices.store()
    await other.profile("ann")
    assert await other.key("k") == IdentityKey("k", "bo")
    await other.commit(Unit(keys=(IdentityKey("k", "cy", ("bo",)),)))
    await late.late()
    await indices.store().profile("ann")
    assert await other.key("k") == IdentityKey("k", "cy")
