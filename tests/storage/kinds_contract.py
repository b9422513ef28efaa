"""The contract of all stores for every kind of record; each adapter's test class inherits it.

The class defines `store` and `second`, two views of one store that was opened with `ALL_KINDS`. `refresh` makes
committed records visible to searches, if that takes a while.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from msgspec import Raw, Struct, structs

from engine.ports.erasure import DataSubject, Erased, belongs, event_name
from engine.ports.kind import AnyKind
from engine.ports.records import RecordDelete, RecordWrite, Unit
from engine.ports.store import Store
from engine.project.retention import Dropped
from engine.search.match import matches
from engine.search.page import Page
from engine.search.parse import parse
from engine.tracking.operations.export import LEFT_OUT, export
from tests.storage.build import event, everything, session, session_write, whole_unit, write
from tests.storage.contract import AWKWARD_IDS, JANUARY, KEPT_SINCE, MARCH, outcomes, refused
from tests.storage.kinds import (
    ALL_KINDS,
    LETTERS,
    QUOTAS,
    REMARKS,
    TEST_KINDS,
    Letter,
    Quota,
    Remark,
    letter,
    quota,
    remark,
)

Refresh = Callable[[], Awaitable[None]]

EACH = pytest.mark.parametrize("kind", TEST_KINDS, ids=[kind.name for kind in TEST_KINDS])
ANN = DataSubject(frozenset({"ann"}), frozenset({("web", "visit")}))


def unit(*records: Struct, expected: int | None = None) -> Unit:
    """A unit that stores records, versioned ones over the version before theirs unless `expected` says otherwise."""
    letters = [one for one in records if isinstance(one, Letter)]
    return Unit(
        records={
            "remarks": tuple(one for one in records if isinstance(one, Remark)),
            "quotas": tuple(one for one in records if isinstance(one, Quota)),
        },
        changes=tuple(RecordWrite(LETTERS, one, one.version - 1 if expected is None else expected) for one in letters),
    )


def deleted(id: str, expected: int) -> Unit:
    return Unit(changes=(RecordDelete(LETTERS, id, expected),))


async def found(store: Store, kind: AnyKind, text: str = "", limit: int = 1000) -> list[Any]:
    """All pages of a search."""
    assert kind.searchable is not None
    asked, records, after = parse(text, kind.searchable, MARCH), list[Any](), None
    while True:
        page = await store.search(asked, limit, after)
        records += page.items
        if page.after is None:
            return records
        after = page.after


async def ids(store: Store, kind: AnyKind, text: str = "") -> list[str]:
    return [kind.id_of(one) for one in await found(store, kind, text)]


def some(kind: AnyKind, rng: Random, count: int) -> list[Any]:
    """Records of a kind with ids of their own and times that rise, of various owners."""
    owner: dict[str, Any] = {"profile": ("ann", "bob", None)}
    if kind is not QUOTAS:
        owner |= {"source": ("web", "app"), "session": ("visit", "other", None)}
    if kind is REMARKS:
        owner |= {"event": ("e-1", "e-2", None), "readers": ((), (), ("bob",), ("bob", "ann"))}
        owner |= {"topic": ("tea", "cake", None), "text": ("a cup", "another cup")}
    make: Any = {REMARKS.name: remark, QUOTAS.name: quota, LETTERS.name: letter}[kind.name]
    records = [make(f"{kind.name}-{n}", **{name: rng.choice(of) for name, of in owner.items()}) for n in range(count)]
    return [structs.replace(one, **{kind.time: JANUARY + n}) for n, one in enumerate(records)]


class KindsContract:
    """The tests; one promise each."""

    @pytest.fixture
    def refresh(self) -> Refresh:
        async def at_once() -> None:
            pass

        return at_once

    # ---- committing -------------------------------------------------------------------------------------------------

    @EACH
    async def test_an_empty_store_has_no_records(self, store: Store, kind: AnyKind) -> None:
        assert await store.record(kind, "x") is None
        assert await found(store, kind) == []

    async def test_records_are_committed_with_a_unit(self, store: Store, second: Store) -> None:
        body = Raw(b'{"a": [1.0, "\\u2028"]}')
        rich = remark(readers=("bob",), text="🐎", body=body)
        more = unit(rich, quota(), letter())
        await store.commit(structs.replace(whole_unit(), records=more.records, changes=more.changes))
        for reader in (store, second):
            assert await reader.record(REMARKS, "r") == rich
            assert await reader.record(QUOTAS, "q") == quota()
            assert await reader.record(LETTERS, "l") == letter()
            assert await reader.event("e-0") == event("e-0")

    async def test_the_records_of_kinds_with_a_member_of_their_own_are_found_by_id(self, store: Store) -> None:
        whole = whole_unit()
        await store.commit(whole)
        for kind in ALL_KINDS:
            for record in whole.of(kind):
                assert await store.record(kind, kind.id_of(record)) == record

    @pytest.mark.parametrize("id", AWKWARD_IDS)
    async def test_any_text_may_be_the_id_of_a_record(self, store: Store, id: str) -> None:
        await store.commit(unit(remark(id, topic=id), quota(id), letter(id)))
        await store.commit(unit(quota(id, left=4), letter(id, 2)))
        assert await store.record(REMARKS, id) == remark(id, topic=id)
        assert await store.record(QUOTAS, id) == quota(id, left=4)
        assert await store.record(LETTERS, id) == letter(id, 2)
        assert await refused(store, unit(letter(id, 2))) == ("record", id)
        await store.commit(deleted(id, 2))
        assert await store.record(LETTERS, id) is None

    async def test_the_last_record_of_a_key_counts(self, store: Store, second: Store, refresh: Refresh) -> None:
        await store.commit(unit(quota("a", left=1), quota("b", left=2)))
        await second.commit(unit(quota("a", left=3)))
        assert await store.record(QUOTAS, "a") == quota("a", left=3)
        await refresh()
        assert sorted(await ids(store, QUOTAS)) == ["a", "b"]

    @pytest.mark.parametrize("expected", [0, 2, 7])
    async def test_a_versioned_record_is_changed_only_at_the_expected_version(
        self, store: Store, second: Store, expected: int
    ) -> None:
        await store.commit(unit(letter()))
        late = unit(letter(version=8, state="sent"), expected=expected)
        assert await refused(second, late) == ("record", "l")
        assert await second.record(LETTERS, "l") == letter()
        await second.commit(unit(letter(version=2, state="sent")))
        assert await store.record(LETTERS, "l") == letter(version=2, state="sent")

    async def test_a_record_that_does_not_exist_cannot_be_changed_or_deleted(self, store: Store) -> None:
        assert await refused(store, unit(letter(version=2))) == ("record", "l")
        assert await refused(store, deleted("l", 1)) == ("record", "l")
        assert await store.record(LETTERS, "l") is None

    async def test_a_versioned_record_is_deleted_once_at_the_expected_version(
        self, store: Store, second: Store
    ) -> None:
        await store.commit(unit(letter(), letter("other")))
        for expected in (2, 7):
            assert await refused(store, deleted("l", expected)) == ("record", "l")
        await second.commit(deleted("l", 1))
        assert await store.record(LETTERS, "l") is None
        assert await store.record(LETTERS, "other") == letter("other")
        assert await refused(store, deleted("l", 1)) == ("record", "l")
        assert await refused(second, unit(letter(version=2))) == ("record", "l")

    async def test_a_unit_may_depend_on_the_absence_of_a_record(self, store: Store) -> None:
        await store.commit(structs.replace(deleted("l", 0), events=(event("e-1"),)))
        assert await store.event("e-1") is not None
        await store.commit(unit(letter()))
        assert await refused(store, structs.replace(deleted("l", 0), events=(event("e-2"),))) == ("record", "l")
        assert await store.event("e-2") is None
        assert await store.record(LETTERS, "l") == letter()

    @pytest.mark.parametrize("late", [
        pytest.param(unit(letter("new"), letter("l", 1)), id="created twice"),
        pytest.param(unit(letter("new"), letter("l", 3)), id="changed at another version"),
        pytest.param(unit(letter("new"), letter("none", 2)), id="changed where there is none"),
        pytest.param(
            Unit(changes=(*unit(letter("new")).changes, RecordDelete(LETTERS, "l", 2))), id="deleted at another version"
        ),
    ])  # fmt: skip
    async def test_a_conflict_of_one_record_writes_nothing_of_its_unit(self, store: Store, late: Unit) -> None:
        await store.commit(whole_unit(0))
        await store.commit(unit(letter()))
        before = await everything(store)
        records = unit(remark(), quota()).records
        whole = structs.replace(whole_unit(1), records=records, changes=late.changes)
        assert (await refused(store, whole))[0] == "record"
        assert await everything(store) == before
        assert await store.record(LETTERS, "new") is None
        assert await store.record(LETTERS, "l") == letter()
        assert await store.record(REMARKS, "r") is None
        assert await store.record(QUOTAS, "q") is None

    async def test_a_conflict_of_something_else_writes_no_records(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("ann"),)))
        await store.commit(unit(letter("l"), letter("gone")))
        records = unit(remark(), quota(), letter("l", 2), letter("new"))
        late = structs.replace(
            records, profiles=(write("ann", 4),), changes=(*records.changes, RecordDelete(LETTERS, "gone", 1))
        )
        assert await refused(store, late) == ("profile", "ann")
        assert [await store.record(kind, id) for kind, id in ((REMARKS, "r"), (QUOTAS, "q"), (LETTERS, "new"))] == [
            None
        ] * 3
        assert [await store.record(LETTERS, id) for id in ("l", "gone")] == [letter("l"), letter("gone")]

    async def test_a_unit_changes_several_records_at_once(self, store: Store) -> None:
        await store.commit(unit(letter("a"), letter("b")))
        changes = (*unit(letter("a", 2), letter("c")).changes, RecordDelete(LETTERS, "b", 1))
        await store.commit(Unit(changes=changes))
        assert [await store.record(LETTERS, id) for id in "abc"] == [letter("a", 2), None, letter("c")]

    @pytest.mark.parametrize("mistake", [
        pytest.param(unit(letter(version=3), expected=3), id="a version that does not move"),
        pytest.param(unit(letter("a", 1), letter("a", 2)), id="a record that is written twice"),
        pytest.param(
            Unit(changes=(*unit(letter("a", 2)).changes, RecordDelete(LETTERS, "a", 1))),
            id="a record that is written and deleted",
        ),
    ])  # fmt: skip
    async def test_changes_that_compare_and_set_cannot_distinguish_are_a_value_error(
        self, store: Store, mistake: Unit
    ) -> None:
        with pytest.raises(ValueError, match=r"is not newer than|changes a record twice"):
            await store.commit(mistake)

    @pytest.mark.parametrize("change", [
        pytest.param(unit(letter(version=2)), id="changed"), pytest.param(deleted("l", 1), id="deleted")
    ])  # fmt: skip
    async def test_a_unit_without_a_profile_that_writes_a_session_and_changes_a_record_is_the_callers_mistake(
        self, store: Store, change: Unit
    ) -> None:
        await store.commit(unit(letter()))
        with pytest.raises(ValueError, match="commit two units"):
            await store.commit(structs.replace(change, sessions=(session_write("visit"),)))
        assert await store.session("web", "visit") is None
        assert await store.record(LETTERS, "l") == letter()
        await store.commit(structs.replace(change, sessions=(session_write("visit"),), profiles=(write("ann"),)))
        assert await store.session("web", "visit") == session("visit")

    async def test_a_unit_without_a_profile_may_write_a_session_and_create_a_record(self, store: Store) -> None:
        await store.commit(structs.replace(unit(letter()), sessions=(session_write("visit"),)))
        assert await store.session("web", "visit") == session("visit")
        assert await store.record(LETTERS, "l") == letter()

    async def test_of_changes_at_one_version_exactly_one_wins(self, store: Store, second: Store) -> None:
        await store.commit(unit(letter()))
        changes = [unit(letter(version=2, state=str(n))) for n in range(3)]
        results = await asyncio.gather(
            outcomes(store, [*changes, deleted("l", 1)]), outcomes(second, [deleted("l", 1), *changes])
        )
        assert sorted([*results[0], *results[1]]) == ["done", *["record"] * 7]

    async def test_of_units_that_create_one_record_exactly_one_wins(self, store: Store, second: Store) -> None:
        results = await asyncio.gather(
            outcomes(store, [unit(letter(state="a"), remark("a")), unit(letter(state="b"), remark("b"))]),
            outcomes(second, [unit(letter(state="c"), remark("c"))]),
        )
        assert sorted([*results[0], *results[1]]) == ["done", "record", "record"]
        won = await store.record(LETTERS, "l")
        assert won is not None
        assert [await store.record(REMARKS, id) is not None for id in "abc"] == [won.state == id for id in "abc"]

    async def test_changes_that_depend_on_one_another_may_be_committed_at_once(self, store: Store) -> None:
        units = [*[unit(letter(version=n + 1)) for n in range(10)], deleted("l", 10)]
        assert await outcomes(store, units) == ["done"] * 11
        assert await store.record(LETTERS, "l") is None

    async def test_all_records_but_keyed_ones_are_counted(self, store: Store) -> None:
        await store.commit(unit(remark("a"), remark("b"), quota(), letter()))
        counts = await store.counts()
        assert (counts["remarks"], counts["quotas"], counts["letters"]) == (2, 0, 1)

    # ---- finding ----------------------------------------------------------------------------------------------------

    async def test_due_records_are_sorted_by_the_time_they_became_due(
        self, store: Store, second: Store, refresh: Refresh
    ) -> None:
        for id, due in (("a", 30), ("b", 10), ("c", None), ("d", 20), ("e", 31)):
            await store.commit(unit(letter(id, due=due)))
        await refresh()
        for reader in (store, second):
            assert [one.id for one in await reader.due_records(LETTERS, 30, 10)] == ["b", "d", "a"]
            assert await reader.due_records(LETTERS, 30, 1) == [letter("b", due=10)]
            assert await reader.due_records(LETTERS, 9, 10) == []
            assert await reader.due_records(LETTERS, 30, 0) == []

    async def test_due_records_of_one_queue_are_found_alone(self, store: Store, refresh: Refresh) -> None:
        for id, due, tray in (("a", 30, "in"), ("b", 10, "out"), ("c", 20, "in"), ("d", 40, "in"), ("e", None, "in")):
            await store.commit(unit(letter(id, due=due, tray=tray)))
        await store.commit(unit(letter("b", 2, due=10, tray="in")))
        await refresh()
        assert [one.id for one in await store.due_records(LETTERS, 30, 10, "in")] == ["b", "c", "a"]
        assert [one.id for one in await store.due_records(LETTERS, 30, 2, "in")] == ["b", "c"]
        assert await store.due_records(LETTERS, 30, 10, "out") == []
        assert [await store.count_due(LETTERS, *each) for each in ((30, "in"), (19, "in"), (30, "out"))] == [3, 1, 0]

    async def test_the_last_version_of_a_record_decides_when_it_is_due(self, store: Store, refresh: Refresh) -> None:
        await store.commit(unit(*[letter(id, due=10) for id in "abc"]))
        await store.commit(unit(letter("a", 2, due=20), letter("b", 2)))
        await store.commit(deleted("c", 1))
        await refresh()
        assert await store.due_records(LETTERS, 19, 10) == []
        assert await store.due_records(LETTERS, 20, 10) == [letter("a", 2, due=20)]

    @EACH
    async def test_records_are_found_by_their_content_newest_first(
        self, store: Store, refresh: Refresh, kind: AnyKind
    ) -> None:
        records = some(kind, Random(f"{kind.name} to be found"), 25)
        for record in records:
            await store.commit(unit(record))
        await refresh()
        assert kind.searchable is not None
        for text in (
            "", "profile:ann", "NOT profile:*", f"{kind.id}:{kind.name}-3", f"{kind.name}-4", f"{kind.name}-1*",
            f"{kind.time}:>{JANUARY + 7}", f"profile:bob {kind.time}:<={JANUARY + 20}",
        ):  # fmt: skip
            asked = parse(text, kind.searchable, MARCH)
            expected = [one for one in reversed(records) if matches(asked, one)]
            assert await found(store, kind, text) == expected, text
            assert await found(store, kind, text, limit=3) == expected, text

    async def test_records_are_found_by_fields_of_every_type(self, store: Store, refresh: Refresh) -> None:
        await store.commit(unit(remark("a", text="a cup of tea"), remark("b", topic="cake", text="cake")))
        await store.commit(unit(quota("c", left=3), quota("d", left=5), letter("e", state="sent"), letter("f", due=7)))
        await refresh()
        assert await ids(store, REMARKS, "topic:tea") == ["a"]
        assert await ids(store, REMARKS, 'text:"up of"') == ["a"]
        assert await ids(store, QUOTAS, "left:>3") == ["d"]
        assert await ids(store, LETTERS, "state:sent") == ["e"]
        assert await ids(store, LETTERS, "due:*") == ["f"]

    async def test_a_versioned_record_is_found_by_its_current_version_at_its_old_position(
        self, store: Store, refresh: Refresh
    ) -> None:
        for n, id in enumerate("abc"):
            await store.commit(unit(letter(id, at=JANUARY + n)))
        await store.commit(unit(letter("a", 2, state="sent")))
        await store.commit(deleted("b", 1))
        await refresh()
        assert await found(store, LETTERS) == [letter("c", at=JANUARY + 2), letter("a", 2, state="sent")]
        assert await ids(store, LETTERS, "state:waiting") == ["c"]

    @EACH
    async def test_records_stored_meanwhile_do_not_shift_the_next_page(
        self, store: Store, refresh: Refresh, kind: AnyKind
    ) -> None:
        assert kind.searchable is not None
        records = some(kind, Random(kind.name), 6)
        for record in records[:4]:
            await store.commit(unit(record))
        await refresh()
        asked = parse("", kind.searchable, MARCH)
        page = await store.search(asked, 2)
        await store.commit(unit(*records[4:]))
        await refresh()
        rest = await store.search(asked, 9, page.after)
        assert [*page.items, *rest.items] == records[3::-1]
        assert rest == Page(tuple(records[1::-1]))

    # ---- exporting and erasing --------------------------------------------------------------------------------------

    async def test_the_records_of_a_profile_are_exported(self, store: Store, refresh: Refresh) -> None:
        own = [remark("own", profile="ann"), quota("own", profile="ann"), letter("own", profile="ann")]
        nobodys = [remark("visit", session="visit"), letter("visit", session="visit")]
        bobs = [remark("bob", profile="bob", session="visit", readers=("ann",)), quota("bob", profile="bob")]
        named = letter("bob", at=JANUARY + 1, profile="bob", session="visit")
        await store.commit(Unit(profiles=(write("ann"), write("bob")), sessions=(session_write("visit"),)))
        for record in (*own, *nobodys, *bobs, named, letter("none"), quota("none")):
            await store.commit(unit(record))
        await refresh()
        exported = [one async for one in export(store, "ann", ALL_KINDS)]
        assert [name for name, _ in exported[:2]] == ["profiles", "sessions"]
        assert exported[2:] == [
            *[("remarks", one) for one in (own[0], nobodys[0])],
            ("quotas", own[1]),
            *[("letters", one) for one in (own[2], named, nobodys[1])],
        ]

    async def test_a_record_without_a_profile_is_exported_with_its_event(self, store: Store, refresh: Refresh) -> None:
        nobodys = structs.replace(event("e-1", profile=None), received=JANUARY)
        caused, other = remark("caused", event="e-1"), remark("other", event="e-1", at=MARCH)
        await store.commit(Unit(profiles=(write("ann"),), sessions=(session_write("visit"),), events=(nobodys,)))
        await store.commit(unit(caused, other))
        await refresh()
        exported = [one async for one in export(store, "ann", ALL_KINDS)]
        assert exported[2:] == [("events", nobodys), ("remarks", caused)]

    async def test_an_export_leaves_out_the_data_of_other_profiles(self, store: Store, refresh: Refresh) -> None:
        shown = remark("shown", profile="ann", session="bobs", readers=("bob", "ann"), body=Raw(b'"of bob"'))
        await store.commit(Unit(profiles=(write("ann"),)))
        await store.commit(unit(shown, letter(profile="ann", session="bobs")))
        await refresh()
        exported = [record async for name, record in export(store, "ann", ALL_KINDS) if name != "profiles"]
        assert exported == [
            structs.replace(shown, session=None, readers=("ann",), body=LEFT_OUT), letter(profile="ann")
        ]  # fmt: skip

    async def test_the_records_of_a_profile_are_erased_and_no_others(
        self, store: Store, second: Store, refresh: Refresh
    ) -> None:
        rng = Random("to be erased")
        events = [structs.replace(event(f"e-{n}", "ann" if n == 1 else "bob"), received=JANUARY + 4) for n in (1, 2)]
        await store.commit(Unit(profiles=(write("ann"), write("bob")), events=tuple(events)))
        records = {kind.name: some(kind, rng, 40) for kind in TEST_KINDS}
        records["remarks"].append(remark("caused", event="e-1", at=JANUARY + 4, profile="bob"))
        for record in [one for each in records.values() for one in each]:
            await store.commit(unit(record))
        gone = {event_name(events[0])}
        expected = Erased(events=1)
        for kind in TEST_KINDS:
            expected[kind.name] = sum(belongs(kind, one, ANN, gone) for one in records[kind.name])
        assert await second.erase(ANN) == expected
        await refresh()
        for kind in TEST_KINDS:
            left = [one for one in records[kind.name] if not belongs(kind, one, ANN, gone)]
            assert 0 < len(left) < len(records[kind.name])
            assert sorted(await ids(store, kind)) == sorted(map(kind.id_of, left))
            for one in records[kind.name]:
                assert await store.record(kind, kind.id_of(one)) == (one if one in left else None)
        assert await store.erase(ANN) == Erased()

    async def test_an_erased_record_is_gone(self, store: Store, second: Store, refresh: Refresh) -> None:
        await store.commit(unit(letter(profile="ann", due=1), quota(profile="ann"), remark(profile="ann", topic="tea")))
        assert await second.erase(ANN) == Erased(letters=1, quotas=1, remarks=1)
        await refresh()
        assert await store.due_records(LETTERS, 5, 5) == []
        assert await refused(store, unit(letter(version=2))) == ("record", "l")
        assert await refused(store, deleted("l", 1)) == ("record", "l")
        counts = await store.counts()
        assert (counts["remarks"], counts["letters"]) == (0, 0)
        await store.commit(unit(quota(profile="bob")))
        assert await store.record(QUOTAS, "q") == quota(profile="bob")

    async def test_records_committed_after_an_erasure_are_found(self, store: Store, refresh: Refresh) -> None:
        await store.commit(unit(remark("a"), remark("b", profile="ann"), letter("c", profile="ann")))
        await store.erase(ANN)
        await store.commit(unit(remark("d"), letter("e")))
        await refresh()
        assert sorted(await ids(store, REMARKS)) == ["a", "d"]
        assert await ids(store, LETTERS) == ["e"]

    # ---- keeping the store small ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", [REMARKS, LETTERS], ids=["remarks", "letters"])
    async def test_retention_drops_the_records_that_are_older(
        self, store: Store, second: Store, refresh: Refresh, kind: AnyKind
    ) -> None:
        await store.commit(unit(*[remark(id, at=JANUARY) for id in "ab"], *[letter(id, at=JANUARY) for id in "ab"]))
        await store.commit(unit(remark("c", at=MARCH), letter("c", at=MARCH)))
        keep, gone = {kind.name: KEPT_SINCE}, Dropped({kind.name: 2})
        reports: list[Dropped] = []
        assert await store.expired(keep) == gone
        assert await second.retain(keep, reports.append) == gone
        assert reports[-1] == gone
        assert await store.retain(keep) == await store.expired(keep) == Dropped()
        await refresh()
        for each in (REMARKS, LETTERS):
            assert sorted(await ids(store, each)) == (["c"] if each is kind else ["a", "b", "c"])
            assert (await store.record(each, "a") is None) == (each is kind)

    async def test_keyed_records_that_have_expired_are_dropped_with_old_marks(
        self, store: Store, refresh: Refresh
    ) -> None:
        await store.commit(unit(quota("a", until=5), quota("b", until=8), remark(at=1), letter(at=1)))
        assert await store.record(QUOTAS, "a") == quota("a", until=5)
        assert await store.forget_marks(8) == 0
        await refresh()
        assert await ids(store, QUOTAS) == ["b"]
        assert await store.record(QUOTAS, "a") is None
        assert await store.record(REMARKS, "r") is not None
        assert await store.record(LETTERS, "l") is not None

    async def test_migrating_again_finds_nothing_to_do_and_keeps_all_records(self, store: Store, second: Store) -> None:
        await store.commit(unit(remark(), quota(), letter()))
        await asyncio.gather(store.migrate(), second.migrate())
        assert [await store.migrate(), await second.migrate()] == [[], []]
        assert [await store.record(kind, id) for kind, id in ((REMARKS, "r"), (QUOTAS, "q"), (LETTERS, "l"))] == [
            remark(), quota(), letter()
        ]  # fmt: skip
