"""The contract of all stores; each adapter's test class inherits it and defines the fixtures `store` and `second`.

`second` is another process's view of the same store.
"""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from msgspec import structs

from engine.ports.records import CacheEntry, Counts, IdentityKey, SessionRead, Unit
from engine.ports.store import Conflict, Store
from engine.project.retention import Dropped, Keep
from tests.storage.build import (
    ANNS_KEY,
    cells,
    counted_up,
    event,
    everything,
    increment,
    mark,
    profile,
    rejected,
    run,
    session,
    session_write,
    whole_unit,
    write,
)

AWKWARD_IDS = [
    pytest.param("'; DROP TABLE profiles; --", id="SQL"),
    pytest.param('a"b', id="double quote"),
    pytest.param("a/b\\c", id="slashes"),
    pytest.param("100%_", id="wildcards"),
    pytest.param("ünï-漢字-🐎", id="unicode"),
    pytest.param("line\u2028separator", id="line separator"),
    pytest.param("nul\x00inside", id="NUL"),
    pytest.param("", id="empty"),
    pytest.param("i" * 5000, id="very long"),
]

VALUES = [
    pytest.param(2**53, id="2^53"),
    pytest.param(-(2**53), id="-2^53"),
    pytest.param(2**63 - 1, id="2^63-1"),
    pytest.param(720182990123456789, id="an id of 18 digits"),
    pytest.param(2**64 - 1, id="2^64-1"),
    pytest.param(2**64, id="2^64"),
    pytest.param(-(10**100), id="-10^100"),
    pytest.param(10**300 - 1, id="the largest whole number of a profile"),
    pytest.param([10**999], id="a whole number of 1,000 digits"),
    pytest.param(0.1, id="0.1"),
    pytest.param(1.0, id="a whole float"),
    pytest.param(1e-300, id="a small float"),
    pytest.param(1.7976931348623157e308, id="the largest float"),
    pytest.param("🐎\u2028\u2029\x00\ud7ff", id="odd characters"),
    pytest.param([1, [2, {"a": None}], True], id="nested"),
    pytest.param({"a.b": {"": {"c": []}}}, id="odd keys"),
    pytest.param("x" * 1_000_000, id="a megabyte"),
]


# Stores may keep documents by the month: dropped ones are two months older than `KEPT_SINCE`, kept ones are newer.
JANUARY = 1_705_312_800_000  # 2024-01-15
KEPT_SINCE = 1_710_028_800_000  # 2024-03-10
MARCH = 1_710_928_800_000  # 2024-03-20
DATED = ("events", "runs", "rejected")  # kinds of which `dated` makes records


def dated(time: int, *names: str, marked: bool = False) -> Unit:
    """For each name an event of profile `ann`, a run and a rejected event of this time."""
    return Unit(
        events=tuple(structs.replace(event(name), received=time) for name in names),
        runs=tuple(structs.replace(run(f"run of {name}", name), at=time) for name in names),
        rejected=tuple(structs.replace(rejected(f"no {name}"), at=time) for name in names),
        marks=tuple(mark(name, at=time) for name in names if marked),
    )


async def refused(store: Store, unit: Unit) -> tuple[str, str]:
    with pytest.raises(Conflict) as conflict:
        await store.commit(unit)
    return conflict.value.what, conflict.value.id


async def outcomes(store: Store, units: Sequence[Unit]) -> list[str]:
    """Commit units concurrently. Returns `done` or the kind of the document that had changed, for each."""

    async def outcome(unit: Unit) -> str:
        try:
            await store.commit(unit)
        except Conflict as conflict:
            return conflict.what
        return "done"

    return await asyncio.gather(*[outcome(unit) for unit in units])


class StoreContract:
    """The tests; one promise each."""

    async def test_an_empty_store_knows_nothing(self, store: Store) -> None:
        assert await store.profile("ann") is None
        assert await store.key("k") is None
        assert await store.session("web", "visit") is None
        assert await store.marks("web", ("e-1",)) == {}
        assert await store.cached("c", 0) is None
        assert await store.event("e-1") is None
        assert await store.events_of("ann", 10) == []
        assert await store.run("r-1") is None
        assert await store.runs_of("e-1") == []
        assert await store.rejected(10) == []
        assert await store.flow_version("9f2c") is None
        assert await store.counts() == Counts()
        assert await store.forget_marks(1000) == 0
        assert await store.ready() is None

    async def test_committed_documents_are_read_back(self, store: Store, second: Store) -> None:
        await store.commit(whole_unit())
        for reader in (store, second):
            assert await reader.profile("ann") == profile("ann", 1, color="red")
            assert await reader.session("web", "visit") == session("visit", 1, page=1)
            assert await reader.key(ANNS_KEY) == IdentityKey(ANNS_KEY, "ann")
            assert await reader.marks("web", ("e-0", "other")) == {"e-0": mark("e-0")}
            assert await reader.event("e-0") == event("e-0")
            assert await reader.event("child-0") == event("child-0")
            assert await reader.run("r-0") == run("r-0", "e-0")
            assert await reader.rejected(5) == [rejected("x-0")]
            assert await reader.cached("c-0", 999) == CacheEntry("c-0", {"tier": "gold"}, 1000)
            assert await reader.counts() == Counts(profiles=1, sessions=1, events=2, runs=1, rejected=1, keys=1)

    async def test_an_empty_unit_is_accepted(self, store: Store) -> None:
        await store.commit(Unit())

    async def test_changing_a_written_or_read_object_does_not_change_the_stored_document(self, store: Store) -> None:
        given = write("ann", 0, tags=["a"])
        await store.commit(Unit(profiles=(given,)))
        cells(given.profile)["tags"].append("b")
        cells(await store.profile("ann"))["tags"].append("c")
        assert cells(await store.profile("ann")) == {"tags": ["a"]}

    @pytest.mark.parametrize("expected", [0, 2, 7])
    async def test_a_profile_is_written_only_at_the_expected_version(self, store: Store, expected: int) -> None:
        await store.commit(Unit(profiles=(write("ann", 0, n=1),)))
        assert await refused(store, Unit(profiles=(write("ann", expected, n=2),))) == ("profile", "ann")
        await store.commit(Unit(profiles=(write("ann", 1, n=3),)))
        assert await store.profile("ann") == profile("ann", 2, n=3)

    async def test_a_profile_that_does_not_exist_cannot_be_at_a_version(self, store: Store) -> None:
        assert await refused(store, Unit(profiles=(write("ann", 1),))) == ("profile", "ann")
        assert await store.profile("ann") is None

    @pytest.mark.parametrize("unit", [
        pytest.param(Unit(profiles=(type(write())(profile("ann", 3), 3),)), id="profile"),
        pytest.param(Unit(sessions=(type(session_write())(session("visit", 3), 4),)), id="session"),
    ])  # fmt: skip
    async def test_a_write_that_does_not_raise_the_version_is_a_value_error(self, store: Store, unit: Unit) -> None:
        with pytest.raises(ValueError, match="is not newer than"):
            await store.commit(unit)

    async def test_of_two_units_at_the_same_version_exactly_one_wins(self, store: Store, second: Store) -> None:
        await store.commit(Unit(profiles=(write("ann", 0, n=0),)))
        results = await asyncio.gather(
            outcomes(store, [Unit(profiles=(write("ann", 1, n=n),)) for n in range(5)]),
            outcomes(second, [Unit(profiles=(write("ann", 1, n=n),)) for n in range(5, 10)]),
        )
        assert sorted([*results[0], *results[1]]) == ["done", *["profile"] * 9]

    async def test_units_that_depend_on_one_another_may_be_committed_at_once(self, store: Store) -> None:
        units = [Unit(profiles=(write("ann", n, n=n),), events=(event(f"e-{n}"),)) for n in range(20)]
        assert await outcomes(store, units) == ["done"] * 20
        assert await store.profile("ann") == profile("ann", 20, n=19)
        assert [e.id for e in await store.events_of("ann", 3)] == ["e-19", "e-18", "e-17"]

    @pytest.mark.parametrize(("moved", "conflict"), [
        pytest.param(Unit(profiles=(write("ann", 1),)), ("profile", "ann"), id="profile"),
        pytest.param(Unit(sessions=(session_write("visit", 1),)), ("session", "visit"), id="session"),
        pytest.param(Unit(keys=(IdentityKey("k-1", "bob"),)), ("key", "k-1"), id="key"),
        pytest.param(Unit(marks=(mark("e-1"),)), ("mark", "e-1"), id="mark"),
    ])  # fmt: skip
    async def test_a_conflict_writes_nothing_of_its_unit(
        self, store: Store, moved: Unit, conflict: tuple[str, str]
    ) -> None:
        await store.commit(whole_unit(0))
        await store.commit(moved)
        before = await everything(store)
        late = whole_unit(1)
        unit = Unit(
            profiles=late.profiles, sessions=late.sessions, keys=(*late.keys, IdentityKey("k-1", "ann")),
            marks=late.marks,
            events=late.events, runs=late.runs, rejected=late.rejected, cache=late.cache,
        )  # fmt: skip
        assert await refused(store, unit) == conflict
        assert await everything(store) == before

    async def test_units_beside_one_that_conflicts_are_committed(self, store: Store) -> None:
        await store.commit(Unit(keys=(IdentityKey("taken", "bob"),), marks=(mark("seen"),)))
        units = [
            Unit(profiles=(write("p-0"),), events=(event("e-0", "p-0"),)),
            Unit(profiles=(write("p-1", 4),), events=(event("e-1", "p-1"),)),
            Unit(profiles=(write("p-2"),), keys=(IdentityKey("taken", "p-2"),), events=(event("e-2", "p-2"),)),
            Unit(profiles=(write("p-3"),), marks=(mark("seen"),), events=(event("e-3", "p-3"),)),
            Unit(profiles=(write("p-4"),), session_reads=(SessionRead("web", "none", 1),)),
            Unit(profiles=(write("p-5"),), keys=(IdentityKey("free", "p-5"),), events=(event("e-5", "p-5"),)),
        ]
        assert await outcomes(store, units) == ["done", "profile", "key", "mark", "session", "done"]
        stored = [n for n in range(6) if await store.profile(f"p-{n}") is not None]
        kept = [n for n in range(6) if await store.event(f"e-{n}") is not None]
        assert (stored, kept) == ([0, 5], [0, 5])
        assert await store.key("free") == IdentityKey("free", "p-5")

    async def test_a_session_is_written_only_at_the_expected_version(self, store: Store) -> None:
        assert await refused(store, Unit(sessions=(session_write("visit", 1),))) == ("session", "visit")
        await store.commit(Unit(sessions=(session_write("visit", 0, page=1),)))
        assert await refused(store, Unit(sessions=(session_write("visit", 0),))) == ("session", "visit")
        await store.commit(Unit(sessions=(session_write("visit", 1, page=2),)))
        assert await store.session("web", "visit") == session("visit", 2, page=2)

    async def test_the_same_session_id_in_two_sources_names_two_sessions(self, store: Store) -> None:
        await store.commit(Unit(sessions=(session_write("visit", 0, source="web", a=1),)))
        await store.commit(Unit(sessions=(session_write("visit", 0, source="app", a=2),)))
        assert await store.session("web", "visit") == session("visit", 1, "web", a=1)
        assert await store.session("app", "visit") == session("visit", 1, "app", a=2)

    async def test_a_unit_conflicts_if_the_session_it_read_has_changed(self, store: Store) -> None:
        await store.commit(Unit(sessions=(session_write("visit", 0),)))
        assert await refused(store, Unit(session_reads=(SessionRead("web", "visit", 0),))) == ("session", "visit")
        assert await refused(store, Unit(session_reads=(SessionRead("web", "visit", 2),))) == ("session", "visit")
        assert await refused(store, Unit(session_reads=(SessionRead("app", "visit", 1),))) == ("session", "visit")
        await store.commit(Unit(session_reads=(SessionRead("web", "visit", 1),)))

    async def test_a_unit_may_depend_on_the_absence_of_a_session(self, store: Store) -> None:
        await store.commit(Unit(session_reads=(SessionRead("web", "visit", 0),)))

    async def test_a_unit_may_write_the_session_it_read(self, store: Store) -> None:
        await store.commit(Unit(session_reads=(SessionRead("web", "visit", 0),), sessions=(session_write("visit", 0),)))
        await store.commit(Unit(session_reads=(SessionRead("web", "visit", 1),), sessions=(session_write("visit", 1),)))
        unit = Unit(session_reads=(SessionRead("web", "visit", 1),), sessions=(session_write("visit", 2),))
        assert await refused(store, unit) == ("session", "visit")

    async def test_a_unit_that_read_a_session_before_a_concurrent_write_conflicts(self, store: Store) -> None:
        await store.commit(Unit(sessions=(session_write("visit", 0),)))
        reader = Unit(profiles=(write("ann"),), session_reads=(SessionRead("web", "visit", 1),))
        assert await outcomes(store, [Unit(sessions=(session_write("visit", 1),)), reader]) == ["done", "session"]
        assert await store.profile("ann") is None

    async def test_an_event_id_of_a_source_takes_effect_once(self, store: Store, second: Store) -> None:
        unit = Unit(marks=(mark("e-1"),), events=(event("e-1"),))
        results = await asyncio.gather(outcomes(store, [unit] * 3), outcomes(second, [unit] * 3))
        assert sorted([*results[0], *results[1]]) == ["done", *["mark"] * 5]
        await second.counts()  # it may still be writing what it has committed
        assert (await store.counts())["events"] == 1

    async def test_an_event_id_of_another_source_is_another_event(self, store: Store) -> None:
        await store.commit(Unit(marks=(mark("e-1", source="web"),), events=(event("e-1", source="web"),)))
        await store.commit(Unit(marks=(mark("e-1", source="app"),), events=(event("e-1", source="app"),)))
        assert await store.marks("web", ("e-1",)) == {"e-1": mark("e-1", source="web")}
        assert await store.marks("app", ("e-1",)) == {"e-1": mark("e-1", source="app")}
        assert await store.event("e-1") == event("e-1", source="app")

    async def test_a_merged_profile_is_found_under_every_id(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("a", into="b"), write("b", into="c"), write("c", color="red"))))
        for id in ("a", "b", "c"):
            assert await store.profile(id) == profile("c", color="red")
        assert (await store.counts())["profiles"] == 1

    @pytest.mark.parametrize("chain", [("a", "a"), ("a", "b", "a"), ("a", "b")], ids=["itself", "circle", "nowhere"])
    async def test_a_tombstone_that_leads_nowhere_has_no_profile(self, store: Store, chain: tuple[str, ...]) -> None:
        await store.commit(Unit(profiles=tuple(write(a, into=b) for a, b in pairwise(chain))))
        assert await store.profile("a") is None

    async def test_the_document_at_an_id_is_read_without_following_tombstones(
        self, store: Store, second: Store
    ) -> None:
        await store.commit(Unit(profiles=(write("a", into="b"), write("b", color="red"))))
        for reader in (store, second):
            found = await reader.as_stored(("a", "b", "c"))
            assert {id: (each.version, each.merged_into) for id, each in found.items()} == {
                "a": (1, "b"),
                "b": (1, None),
            }
            assert found["b"] == profile("b", color="red")

    async def test_the_newest_events_of_a_profile_come_first(self, store: Store) -> None:
        for n in range(6):
            id = "ann" if n % 2 else "bob"
            await store.commit(Unit(profiles=(write(id, n // 2),), events=(event(f"e-{n}", id), event(f"f-{n}", id))))
        await store.commit(Unit(events=(event("other", None),)))
        assert [e.id for e in await store.events_of("ann", 10)] == ["f-5", "e-5", "f-3", "e-3", "f-1", "e-1"]
        assert [e.id for e in await store.events_of("bob", 3)] == ["f-4", "e-4", "f-2"]
        assert await store.events_of("bob", 0) == []

    async def test_events_of_a_profile_that_another_unit_wrote_are_its_events(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("ann"),), events=(event("e-0"),)))
        await store.commit(Unit(events=(event("e-1"), event("e-2"))))
        await store.commit(Unit(profiles=(write("ann", 1),), events=(event("e-3"),)))
        assert [e.id for e in await store.events_of("ann", 10)] == ["e-3", "e-2", "e-1", "e-0"]

    async def test_the_newest_of_several_events_with_one_id_is_found(self, store: Store) -> None:
        await store.commit(Unit(events=(event("e", n=1), event("e", n=2))))
        await store.commit(Unit(marks=(mark("e"),), events=(event("e", n=3),)))
        assert await store.event("e") == event("e", n=3)
        assert (await store.counts())["events"] == 3

    async def test_the_runs_of_an_event_come_oldest_first(self, store: Store) -> None:
        await store.commit(Unit(runs=(run("r-1", "e"), run("r-2", "e"), run("r-3", "other"))))
        await store.commit(Unit(runs=(run("r-0", "e"),)))
        assert [r.id for r in await store.runs_of("e")] == ["r-1", "r-2", "r-0"]
        assert await store.run("r-3") == run("r-3", "other")

    async def test_rejected_events_are_kept_newest_first(self, store: Store) -> None:
        await store.reject((rejected("x-1"), rejected("x-2")))
        await store.commit(Unit(rejected=(rejected("x-3"),)))
        assert await store.rejected(2) == [rejected("x-3"), rejected("x-2")]
        assert (await store.counts())["rejected"] == 3

    async def test_the_text_of_a_flow_version_is_kept_once(self, store: Store) -> None:
        await store.remember_flow("9f2c", "greet", "flow: greet")
        await store.remember_flow("9f2c", "greet", "flow: other")
        assert await store.flow_version("9f2c") == "flow: greet"

    async def test_a_cache_entry_lives_until_it_expires_and_the_last_one_counts(self, store: Store) -> None:
        await store.commit(Unit(cache=(CacheEntry("c", 1, 100), CacheEntry("n", None, 100))))
        await store.commit(Unit(cache=(CacheEntry("c", {"two": 2}, 200),)))
        assert await store.cached("c", 199) == CacheEntry("c", {"two": 2}, 200)
        assert await store.cached("c", 200) is None
        assert await store.cached("n", 99) == CacheEntry("n", None, 100)

    async def test_forgetting_drops_old_marks_and_expired_cache_entries(self, store: Store) -> None:
        marks = tuple(mark(f"e-{n}", at=n) for n in range(10))
        cache = (CacheEntry("old", 1, 4), CacheEntry("new", 1, 5))
        await store.commit(Unit(marks=marks, events=(event("e-1"), event("e-8")), cache=cache))
        assert await store.forget_marks(5) == 5
        assert sorted(await store.marks("web", tuple(f"e-{n}" for n in range(10)))) == [f"e-{n}" for n in range(5, 10)]
        assert (await store.cached("old", 0), await store.cached("new", 0)) == (None, CacheEntry("new", 1, 5))
        assert await store.forget_marks(5) == 0

    async def test_forgetting_drops_marks_that_arrived_out_of_order(self, store: Store) -> None:
        for at in (9, 2, 8, 1, 7):
            await store.commit(Unit(marks=(mark(f"e-{at}", at=at),)))
        assert [await store.forget_marks(before) for before in (2, 8, 9, 100)] == [1, 2, 1, 1]

    async def test_forgetting_thousands_of_marks_forgets_them_all(self, store: Store) -> None:
        await store.commit(Unit(marks=tuple(mark(f"e-{n}", at=n) for n in range(2500))))
        assert [await store.forget_marks(2400), await store.forget_marks(9999)] == [2400, 100]

    async def test_a_forgotten_event_is_still_found_and_its_id_may_take_effect_again(self, store: Store) -> None:
        await store.commit(Unit(marks=(mark("e", at=1),), events=(event("e", n=1),)))
        assert await store.forget_marks(5) == 1
        assert await store.event("e") == event("e", n=1)
        again = Unit(marks=(mark("e", at=6),), events=(event("e", n=2),))
        assert sorted(await outcomes(store, [again, again])) == ["done", "mark"]
        assert await store.event("e") == event("e", n=2)
        assert await store.marks("web", ("e",)) == {"e": mark("e", at=6)}
        assert await store.forget_marks(7) == 1

    @pytest.mark.parametrize("apart", [False, True], ids=["in one unit", "in two units side by side"])
    async def test_several_forgotten_events_take_effect_again_at_once(self, store: Store, apart: bool) -> None:
        ids = ("e-1", "e-2", "e-3")
        await store.commit(Unit(marks=tuple(mark(id, at=1) for id in ids), events=tuple(event(id, n=1) for id in ids)))
        assert await store.forget_marks(5) == 3
        units = [Unit(marks=(mark(id, at=6),), events=(event(id, n=2),)) for id in ids]
        whole = Unit(marks=tuple(mark(id, at=6) for id in ids), events=tuple(event(id, n=2) for id in ids))
        assert await outcomes(store, units if apart else [whole]) == ["done"] * (3 if apart else 1)
        assert await store.marks("web", ids) == {id: mark(id, at=6) for id in ids}
        assert [await store.event(id) for id in ids] == [event(id, n=2) for id in ids]
        assert await outcomes(store, [units[0], whole]) == ["mark", "mark"]
        assert await store.forget_marks(7) == 3

    @pytest.mark.parametrize("kinds", [DATED, *[(kind,) for kind in DATED]], ids="-".join)
    async def test_retention_drops_the_older_records_of_the_kinds_it_names(
        self, store: Store, second: Store, kinds: tuple[str, ...]
    ) -> None:
        await store.commit(Unit(profiles=(write("ann"),)))
        await store.commit(dated(JANUARY, "a", "b"))
        await store.commit(dated(MARCH, "c"))
        keep = Keep(**dict.fromkeys(kinds, KEPT_SINCE))
        gone = Dropped(**dict.fromkeys(kinds, 2))
        reports: list[Dropped] = []
        assert await store.expired(keep) == gone
        assert await store.retain(keep, reports.append) == gone
        assert reports[-1] == gone
        assert await store.retain(keep) == await store.expired(keep) == Dropped()
        for reader in (store, second):
            counts = await reader.counts()
            left = {"events": counts["events"], "runs": counts["runs"], "rejected": counts["rejected"]}
            assert left == {kind: 1 if kind in kinds else 3 for kind in DATED}
            assert (await reader.event("a") is None) == ("events" in kinds)
            assert [e.id for e in await reader.events_of("ann", 9)] == (["c"] if "events" in kinds else ["c", "b", "a"])
            assert (await reader.run("run of a") is None) == ("runs" in kinds)
            assert len(await reader.runs_of("b")) == (0 if "runs" in kinds else 1)
            assert await reader.run("run of c") is not None
            assert [r.id for r in await reader.rejected(9)][:1] == ["no c"]
            assert await reader.profile("ann") == profile("ann")

    async def test_retention_that_names_no_kind_drops_nothing(self, store: Store) -> None:
        await store.commit(dated(JANUARY, "a"))
        assert await store.retain(Keep()) == await store.expired(Keep()) == Dropped()
        assert await store.event("a") is not None

    async def test_after_all_events_were_dropped_only_new_ones_are_found(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("ann"), write("bob"))))
        await store.commit(dated(JANUARY, "a", "b", marked=True))
        await store.retain(Keep(events=KEPT_SINCE))
        assert ((await store.counts())["events"], await store.events_of("ann", 9)) == (0, [])
        later = [structs.replace(event(id, "bob"), received=MARCH) for id in ("c", "d")]
        await store.commit(Unit(events=tuple(later), marks=(mark("d", at=MARCH),)))
        assert [e.id for e in await store.events_of("bob", 9)] == ["d", "c"]
        assert await store.events_of("ann", 9) == []
        assert [await store.event(id) for id in ("a", "b", "c", "d")] == [None, None, *later]
        assert (await store.counts())["events"] == 2

    async def test_a_dropped_event_does_not_take_effect_again_before_its_mark_is_forgotten(self, store: Store) -> None:
        unit = dated(JANUARY, "a", marked=True)
        await store.commit(unit)
        await store.retain(Keep(events=KEPT_SINCE))
        assert await store.marks("web", ("a",)) == {"a": mark("a", at=JANUARY)}
        assert await refused(store, Unit(marks=unit.marks, events=unit.events)) == ("mark", "a")
        assert await store.forget_marks(MARCH) == 1
        assert (await store.marks("web", ("a",)), await store.event("a")) == ({}, None)
        again = dated(MARCH, "a", marked=True)
        await store.commit(again)
        assert await store.event("a") == again.events[0]
        assert await store.retain(Keep(events=KEPT_SINCE)) == Dropped()
        assert await store.event("a") == again.events[0]

    async def test_concurrent_retention_beside_commits_drops_the_older_records(
        self, store: Store, second: Store
    ) -> None:
        await store.commit(dated(JANUARY, *[f"old-{n}" for n in range(20)]))
        units = [dated(MARCH, f"new-{n}") for n in range(20)]
        keep = Keep(events=KEPT_SINCE, runs=KEPT_SINCE, rejected=KEPT_SINCE)
        await asyncio.gather(store.retain(keep), *[store.commit(unit) for unit in units], second.retain(keep))
        counts = await store.counts()
        assert (counts["events"], counts["runs"], counts["rejected"]) == (20, 20, 20)
        assert all([await store.event(f"new-{n}") is not None for n in range(20)])

    async def test_migrating_again_changes_nothing(self, store: Store, second: Store) -> None:
        await store.commit(whole_unit())
        before = await everything(store)
        done = await asyncio.gather(store.migrate(), second.migrate(), store.migrate())
        assert all(isinstance(words, str) for each in done for words in each)
        assert [await store.migrate(), await second.migrate()] == [[], []]
        assert await everything(store) == before

    async def test_the_secret_is_random_and_stays(self, store: Store, second: Store) -> None:
        secret = await store.secret()
        assert len(secret) == 32
        assert len(set(secret)) > 8
        assert [await store.secret(), await second.secret()] == [secret, secret]

    @pytest.mark.parametrize("id", AWKWARD_IDS)
    async def test_any_text_may_be_an_id(self, store: Store, id: str) -> None:
        for expected in range(2):
            await store.commit(
                Unit(
                    profiles=(write(id, expected, n=expected),),
                    sessions=(session_write(id, expected, source=id),),
                    keys=(IdentityKey(id, id),),
                    marks=(mark(id, source=id + str(expected)),),
                    events=(event(id, id), event(id + "~", id)),
                    runs=(run(id, id),),
                    cache=(CacheEntry(id, id, 10),),
                )
            )
        assert await store.profile(id) == profile(id, 2, n=1)
        assert await store.session(id, id) == session(id, 2, id)
        assert await store.key(id) == IdentityKey(id, id)
        assert await store.marks(id + "1", (id,)) == {id: mark(id, source=id + "1")}
        assert [e.id for e in await store.events_of(id, 9)] == [id + "~", id, id + "~", id]
        assert await store.run(id) == run(id, id)
        assert await store.cached(id, 1) == CacheEntry(id, id, 10)
        assert await refused(store, Unit(profiles=(write(id, 1),))) == ("profile", id)

    @pytest.mark.parametrize("value", VALUES)
    async def test_a_value_is_kept_exactly(self, store: Store, value: object) -> None:
        await store.commit(Unit(profiles=(write("ann", value=value),), events=(event("e", value=value),)))
        stored, kept = await store.profile("ann"), await store.event("e")
        assert kept is not None
        for got in (cells(stored)["value"], kept.properties["value"]):
            assert (got, type(got)) == (value, type(value))

    async def test_sums_are_kept_exactly(self, store: Store, second: Store) -> None:
        amounts = [19.99] * 5 + [0.05, 0.1, 1e15, 1e-15, 33.333333333333336, 2**63, 10**30]
        signed = [*amounts, *[-amount for amount in amounts]]
        seen = [await counted_up((store, second)[n % 2], "ann", amount) for n, amount in enumerate(signed)]
        all_added = 10**30 + 2**63 + 10**15 + 133.433333333333337
        assert [seen[5], seen[11], seen[-1]] == [(100, 100), (all_added, all_added), (0, 0)]
        assert {type(number) for number in (*seen[5], *seen[-1])} == {int}

    async def test_a_thousand_concurrent_increments_add_up_to_a_thousand(self, store: Store, second: Store) -> None:
        async def caller(engine: Store) -> None:
            for _ in range(50):
                await increment(engine, "ann")

        await asyncio.gather(*[caller((store, second)[n % 2]) for n in range(20)])
        assert cells(await store.profile("ann")) == {"n": 1000}

    async def test_a_cancelled_caller_does_not_affect_the_others(self, store: Store) -> None:
        tasks = [asyncio.create_task(store.commit(Unit(profiles=(write(f"p-{n}"),)))) for n in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [n for n, result in enumerate(results) if result is not None] in ([3], [])
        assert [n for n in range(10) if await store.profile(f"p-{n}") is None] in ([3], [])

    async def test_a_store_may_be_closed_twice(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("ann"),)))
        await store.close()
        await store.close()
