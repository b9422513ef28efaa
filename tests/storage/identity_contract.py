"""The contract of all stores for keys, and for units that join profiles and set them apart.

Each adapter's test class inherits it. It defines `store` and `second`; `refresh` makes committed documents visible to
searches, if that takes a while.

`identity_unit` is a unit with all that such a unit may have. Before it, as `joint` stores them, the profiles `ann` and
`bo` exist; `cy` and `dan` are ids of `ann`, because all three brought the key K. In the unit `bo` brings the key E,
which `ann` holds, so that `bo` is joined with `ann`; and the link of `ann` to K is undone, so that `cy` and `dan` leave
as the profile `cy`, and K is left to it.
"""

import asyncio

import pytest
from msgspec import structs

from engine.ports.erasure import DataSubject
from engine.ports.records import IdentityKey, ProfileWrite, Unit
from engine.ports.store import Store
from engine.profile.document import Link, Part, Profile
from engine.profile.grouping import tombstone
from engine.profile.linking import new_link
from tests.storage.build import event, mark, session_write, write
from tests.storage.contract import outcomes, refused
from tests.storage.reminding_contract import Refresh

BORN = 1_700_000_000_000  # ms
E, K, CLAIMED = "pii.email:11aa22bb33cc44dd", "pii.phone:99ff88ee77dd66cc", "?pii.email:11aa22bb33cc44dd"
ALL = ("ann", "bo", "cy", "dan")  # by rank
TOLD = new_link("ann", "proof", K)  # the link that is undone


def document(version: int, *ids: str, links: tuple[Link, ...] = (), due: int | None = None) -> Profile:
    """A profile of these ids, the first of which is its own. Each part has a cell with its own id."""
    parts = {id: Part(id=id, created=BORN + ALL.index(id), base=BORN, cells={f"traits.{id}": id}) for id in ids}
    return Profile(
        id=ids[0],
        created=parts[ids[0]].created,
        version=version,
        parts=parts,
        links={link.id: link for link in sorted(links, key=lambda link: link.id)},
        due=due,
    )


def over(document: Profile) -> ProfileWrite:
    """A write of a document over the version before it."""
    return ProfileWrite(document, document.version - 1)


def leads(version: int, id: str, into: str) -> ProfileWrite:
    """A write of a tombstone over the version before it."""
    return over(tombstone(document(version - 1, id), into))


def brought(*ids: str) -> tuple[Link, ...]:
    """The proofs of ids that brought K."""
    return tuple(new_link(id, "proof", K) for id in ids)


async def joint(store: Store) -> None:
    """Store what is there before the unit."""
    anns = (*brought("ann", "cy", "dan"), new_link("ann", "proof", E))
    for id in ("cy", "dan"):
        await store.commit(Unit(profiles=(over(document(1, id, links=brought(id))),)))
    await store.commit(
        Unit(
            profiles=(over(document(1, "ann", "cy", "dan", links=anns)), leads(2, "cy", "ann"), leads(2, "dan", "ann")),
            keys=(IdentityKey(K, "ann"), IdentityKey(E, "ann"), IdentityKey(CLAIMED, "bo")),
        )
    )
    await store.commit(Unit(profiles=(over(document(1, "bo", due=7)),), events=(event("e-0", "bo"),)))


def identity_unit() -> Unit:
    """The unit; the profile `ann` commits it."""
    undone = structs.replace(TOLD, undone=BORN + 9)
    anns = (undone, new_link("ann", "proof", E), new_link("bo", "proof", E))
    return Unit(
        profiles=(
            over(document(2, "ann", "bo", links=anns)),
            leads(2, "bo", "ann"),
            over(document(3, "cy", "dan", links=brought("cy", "dan"), due=0)),
            leads(3, "dan", "cy"),
        ),
        keys=(IdentityKey(E, "ann"), IdentityKey(CLAIMED, "ann", over=("bo",))),
        left_keys=(IdentityKey(K, "cy", over=("ann",)),),
        sessions=(session_write("visit"),),
        events=(event("e-1", "ann"), event("e-2", "cy")),
        marks=(mark("e-1"),),
    )


async def stored(store: Store) -> dict[str, object]:
    """All that the unit may change."""
    profiles = await store.as_stored(ALL)
    return {
        **{f"at {id}": (each.version, each.merged_into) for id, each in profiles.items()},
        **{f"of {id}": await store.profile(id) for id in ALL},
        **{key: await store.key(key) for key in (E, K, CLAIMED)},
        "session": await store.session("web", "visit"),
        "events": [await store.event("e-1"), await store.event("e-2")],
        "marks": await store.marks("web", ("e-1",)),
        "counts": await store.counts(),
    }


async def holder(store: Store, key: str) -> str | None:
    found = await store.key(key)
    return None if found is None else found.id


def left(version: int, *keys: IdentityKey, own: tuple[IdentityKey, ...] = ()) -> Unit:
    """A unit of the profile `ann` that leaves keys to others."""
    return Unit(profiles=(write("ann", version - 1),), keys=own, left_keys=keys)


class IdentityContract:
    """The tests; one promise each."""

    @pytest.fixture
    def refresh(self) -> Refresh:
        async def at_once() -> None:
            pass

        return at_once

    async def test_a_key_belongs_to_the_first_id_that_brings_it(self, store: Store) -> None:
        await store.commit(Unit(keys=(IdentityKey("k", "ann"),)))
        assert await refused(store, Unit(keys=(IdentityKey("k", "bob"),))) == ("key", "k")
        assert await store.key("k") == IdentityKey("k", "ann")

    async def test_a_key_may_be_written_again_for_the_same_id(self, store: Store) -> None:
        units = [Unit(keys=(IdentityKey("k", "ann"), IdentityKey(f"k-{n}", "ann"))) for n in range(5)]
        assert await outcomes(store, units) == ["done"] * 5
        assert (await store.counts())["keys"] == 6

    async def test_of_units_that_bring_one_key_for_different_ids_one_wins(self, store: Store, second: Store) -> None:
        results = await asyncio.gather(
            outcomes(store, [Unit(keys=(IdentityKey("k", "ann"),)), Unit(keys=(IdentityKey("k", "bob"),))]),
            outcomes(second, [Unit(keys=(IdentityKey("k", "cid"),)), Unit(keys=(IdentityKey("k", "dan"),))]),
        )
        assert sorted([*results[0], *results[1]]) == ["done", "key", "key", "key"]

    async def test_a_claimed_and_a_proven_key_are_two_keys(self, store: Store, second: Store) -> None:
        await store.commit(Unit(keys=(IdentityKey(CLAIMED, "bob"),)))
        await second.commit(Unit(keys=(IdentityKey(E, "ann"),)))
        assert [await store.key(key) for key in (E, CLAIMED)] == [IdentityKey(E, "ann"), IdentityKey(CLAIMED, "bob")]

    @pytest.mark.parametrize(
        ("over", "taken"),
        [
            pytest.param((), False, id="nobody"),
            pytest.param(("cid",), False, id="another id"),
            pytest.param(("ann",), True, id="the holder"),
            pytest.param(("cid", "ann", "dan"), True, id="the holder and others"),
            pytest.param(("bob",), False, id="the new holder"),
        ],
    )
    async def test_a_key_is_put_only_over_the_ids_that_the_write_names(
        self, store: Store, second: Store, over: tuple[str, ...], taken: bool
    ) -> None:
        await store.commit(Unit(keys=(IdentityKey("k", "ann"),)))
        unit = Unit(keys=(IdentityKey("k", "bob", over), IdentityKey("new", "bob", over)))
        assert await outcomes(second, [unit]) == (["done"] if taken else ["key"])
        assert await holder(store, "k") == ("bob" if taken else "ann")
        assert await holder(store, "new") == ("bob" if taken else None)

    async def test_of_units_that_put_a_key_over_one_id_one_wins(self, store: Store, second: Store) -> None:
        await store.commit(Unit(keys=(IdentityKey("k", "ann"),)))
        results = await asyncio.gather(
            outcomes(store, [Unit(keys=(IdentityKey("k", id, ("ann",)),)) for id in ("bob", "cid", "dan")]),
            outcomes(second, [Unit(keys=(IdentityKey("k", id, ("ann",)),)) for id in ("eve", "fay")]),
        )
        assert sorted([*results[0], *results[1]]) == ["done", "key", "key", "key", "key"]

    @pytest.mark.parametrize(
        ("over", "now"),
        [
            pytest.param((), "ann", id="nobody"),
            pytest.param(("cid",), "ann", id="another id"),
            pytest.param(("ann",), "bob", id="the holder"),
            pytest.param(("cid", "ann"), "bob", id="the holder and others"),
        ],
    )
    async def test_a_key_is_left_only_by_the_ids_that_lose_it_and_is_never_a_conflict(
        self, store: Store, second: Store, over: tuple[str, ...], now: str
    ) -> None:
        await store.commit(Unit(keys=(IdentityKey("k", "ann"),)))
        await second.commit(left(1, IdentityKey("k", "bob", over), IdentityKey("none", "bob", over)))
        assert await holder(store, "k") == now
        assert await holder(store, "none") is None
        assert await store.profile("ann") is not None

    async def test_keys_are_left_after_the_keys_of_the_unit_were_put(self, store: Store) -> None:
        await store.commit(Unit(keys=(IdentityKey("k", "ann"),)))
        await store.commit(left(1, IdentityKey("k", "cid", ("bob",)), own=(IdentityKey("k", "bob", ("ann",)),)))
        assert await holder(store, "k") == "cid"
        await store.commit(left(2, IdentityKey("k", "dan", ("cid",)), own=(IdentityKey("k", "eve", ("cid",)),)))
        assert await holder(store, "k") == "eve"

    async def test_a_unit_that_conflicts_leaves_no_key(self, store: Store) -> None:
        await store.commit(Unit(keys=(IdentityKey("k", "ann"),)))
        assert await refused(store, left(8, IdentityKey("k", "bob", ("ann",)))) == ("profile", "ann")
        assert await holder(store, "k") == "ann"

    async def test_a_unit_that_joins_and_sets_apart_is_read_as_a_whole(self, store: Store, second: Store) -> None:
        await joint(store)
        unit = identity_unit()
        await store.commit(unit)
        ann, _, cy, _ = [write.profile for write in unit.profiles]
        for reader in (second, store):
            assert [await reader.profile(id) for id in ALL] == [ann, ann, cy, cy]
            assert [await holder(reader, key) for key in (E, CLAIMED, K)] == ["ann", "ann", "cy"]
            assert await reader.session("web", "visit") == unit.sessions[0].session
            assert [await reader.event(id) for id in ("e-1", "e-2")] == list(unit.events)
            assert await reader.marks("web", ("e-1",)) == {"e-1": unit.marks[0]}
            found = await reader.as_stored(ALL)
            assert {id: (each.version, each.merged_into) for id, each in found.items()} == {
                "ann": (2, None), "bo": (2, "ann"), "cy": (3, None), "dan": (3, "cy"),
            }  # fmt: skip
        assert (await store.counts())["profiles"] == 2

    @pytest.mark.parametrize(
        ("moved", "conflict"),
        [
            pytest.param(Unit(profiles=(over(document(2, "ann", "cy", "dan")),)), ("profile", "ann"), id="winner"),
            pytest.param(Unit(profiles=(over(document(2, "bo")),)), ("profile", "bo"), id="loser"),
            pytest.param(Unit(profiles=(leads(3, "cy", "ann"),)), ("profile", "cy"), id="profile set apart"),
            pytest.param(Unit(profiles=(leads(3, "dan", "ann"),)), ("profile", "dan"), id="redirected tombstone"),
            pytest.param(Unit(keys=(IdentityKey(CLAIMED, "eve", ("bo",)),)), ("key", CLAIMED), id="key"),
            pytest.param(Unit(sessions=(session_write("visit"),)), ("session", "visit"), id="session"),
            pytest.param(Unit(marks=(mark("e-1"),)), ("mark", "e-1"), id="mark"),
        ],
    )
    async def test_a_unit_that_joins_and_sets_apart_is_written_as_one_or_not_at_all(
        self, store: Store, second: Store, moved: Unit, conflict: tuple[str, str]
    ) -> None:
        await joint(store)
        await second.commit(moved)
        before = await stored(second)
        assert await refused(store, identity_unit()) == conflict
        assert await stored(store) == await stored(second) == before

    async def test_a_key_that_another_id_holds_by_now_is_not_left_and_no_conflict(
        self, store: Store, second: Store
    ) -> None:
        await joint(store)
        await second.commit(Unit(keys=(IdentityKey(K, "eve", ("ann",)),)))
        await store.commit(identity_unit())
        assert await holder(second, K) == "eve"
        assert (await second.as_stored(("cy",)))["cy"].version == 3

    async def test_of_two_units_that_join_and_set_apart_one_wins(self, store: Store, second: Store) -> None:
        await joint(store)
        both = await asyncio.gather(outcomes(store, [identity_unit()]), outcomes(second, [identity_unit()]))
        assert [found == ["done"] for found in both].count(True) == 1
        assert (await store.as_stored(("cy",)))["cy"].version == 3

    async def test_a_profile_is_set_apart_and_joined_again_over_exact_versions(
        self, store: Store, second: Store, refresh: Refresh
    ) -> None:
        """`bo` is joined with `ann` in the units of an even version of `ann`, and set apart in the others."""
        both = (new_link("ann", "proof", E), new_link("bo", "proof", E))
        undone = structs.replace(both[0], undone=BORN)
        await store.commit(Unit(profiles=(over(document(1, "ann", links=both[:1])),)))
        await store.commit(Unit(profiles=(over(document(1, "bo", due=1)),), events=(event("e-1", "bo"),)))
        for version in range(2, 6):
            joined = version % 2 == 0
            ids, links = (("ann", "bo"), both) if joined else (("ann",), (undone,))
            ann = document(version, *ids, links=links)
            alone = document(version, "bo", links=both[1:], due=version)
            bo = tombstone(document(version - 1, "bo"), "ann") if joined else alone
            late = ProfileWrite(structs.replace(bo, version=version + 1), version - 2)
            assert await refused(second, Unit(profiles=(over(ann), late))) == ("profile", "bo")
            await store.commit(Unit(profiles=(over(ann), over(bo)), events=(event(f"e-{version}", "bo"),)))
            assert await second.profile("bo") == (ann if joined else bo)
            assert (await second.counts())["profiles"] == (1 if joined else 2)
            assert await second.data_subject(frozenset({"ann"})) == DataSubject(frozenset(ids))
            assert [each.id for each in await second.events_of("bo", 9)] == [f"e-{n}" for n in range(version, 0, -1)]
            await refresh()
            assert await store.due(2**60, 9) == ([] if joined else ["bo"])
