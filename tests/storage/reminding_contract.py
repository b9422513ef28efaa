"""The contract of all stores for due profiles and for notes. Each adapter's test class inherits it.

It defines `store` and `second`. `refresh` makes committed documents visible to searches, if that takes a while.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs

from engine.ports.lease import TAKEOVER_SECONDS, Lease
from engine.ports.records import ProfileWrite, Unit
from engine.ports.store import Conflict, Store
from engine.profile.grouping import tombstone
from tests.storage.build import profile, write

Refresh = Callable[[], Awaitable[None]]


def due(id: str, at: int | None, expected: int = 0, moved: bool = True) -> Unit:
    """A unit that writes a profile which is due at a time."""
    return Unit(profiles=(ProfileWrite(structs.replace(profile(id, expected + 1), due=at), expected, None, moved),))


class RemindingContract:
    """The tests; one promise each."""

    @pytest.fixture
    def refresh(self) -> Refresh:
        async def at_once() -> None:
            pass

        return at_once

    async def test_no_profile_is_due_in_an_empty_store(self, store: Store) -> None:
        assert await store.due(2**60, 10) == []

    async def test_due_profiles_are_sorted_by_the_time_they_became_due(
        self, store: Store, second: Store, refresh: Refresh
    ) -> None:
        for id, at in (("bo", 30), ("ann", 20), ("cy", 10), ("dan", None), ("eve", 31), ("fay", 0)):
            await store.commit(due(id, at))
        await refresh()
        assert await second.due(30, 10) == ["fay", "cy", "ann", "bo"]
        assert await second.due(30, 2) == ["fay", "cy"]
        assert await second.due(-1, 10) == []
        assert await second.due(30, 0) == []

    async def test_the_last_commit_of_a_profile_decides_when_it_is_due(self, store: Store, refresh: Refresh) -> None:
        await store.commit(due("ann", 20))
        await store.commit(due("ann", 50, expected=1))
        await refresh()
        assert await store.due(49, 10) == []
        assert await store.due(50, 10) == ["ann"]
        await store.commit(due("ann", None, expected=2))
        await refresh()
        assert await store.due(2**60, 10) == []

    async def test_a_due_time_that_has_not_moved_need_not_be_written(self, store: Store, refresh: Refresh) -> None:
        await store.commit(due("ann", 20))
        await store.commit(due("ann", 20, expected=1, moved=False))
        await refresh()
        assert await store.due(20, 10) == ["ann"]

    async def test_a_unit_that_conflicts_does_not_move_a_due_time(self, store: Store, refresh: Refresh) -> None:
        await store.commit(due("ann", 20))
        with pytest.raises(Conflict):
            await store.commit(due("ann", 90, expected=7))
        await refresh()
        assert await store.due(20, 10) == ["ann"]

    async def test_a_tombstone_is_never_due(self, store: Store, refresh: Refresh) -> None:
        await store.commit(due("ann", 20))
        await store.commit(due("bo", 20))
        stone = structs.replace(tombstone(profile("bo", 1), "ann"), due=5)
        await store.commit(Unit(profiles=(ProfileWrite(stone, 1), write("ann", 1))))
        await refresh()
        assert await store.due(2**60, 10) == []

    async def test_a_note_is_kept_until_the_next_one(self, store: Store, second: Store) -> None:
        assert await store.note("segments") is None
        await store.keep_note("segments", b'{"a": "\xc3\xa4"}')
        assert await second.note("segments") == b'{"a": "\xc3\xa4"}'
        await second.keep_note("segments", b"{}")
        assert await store.note("segments") == b"{}"
        assert await store.note("others") is None

    async def test_a_note_is_replaced_only_if_it_has_the_expected_bytes(self, store: Store, second: Store) -> None:
        assert not await store.replace_note("lease", b"1", b"0")
        assert await store.replace_note("lease", b"1", None)
        assert not await second.replace_note("lease", b"2", None)
        assert not await second.replace_note("lease", b"2", b"0")
        assert await second.note("lease") == b"1"
        assert await second.replace_note("lease", b"2", b"1")
        assert not await store.replace_note("lease", b"3", b"1")
        await store.keep_note("lease", b"4")
        assert await second.replace_note("lease", b"5", b"4")
        assert (await store.note("lease"), await store.notes("lea")) == (b"5", {"lease": b"5"})

    async def test_of_concurrent_replacements_exactly_one_succeeds(self, store: Store, second: Store) -> None:
        await store.keep_note("lease", b"0")
        both = [each.replace_note("lease", b"%d" % n, b"0") for n, each in enumerate([store, second] * 5, 1)]
        replaced = await asyncio.gather(*both)
        assert replaced.count(True) == 1
        assert await store.note("lease") == b"%d" % (1 + replaced.index(True))

    async def test_a_lease_passes_from_one_process_to_another(self, store: Store, second: Store) -> None:
        ticks = 0.0
        ann, bo = Lease(store, "timers", "ann", lambda: ticks), Lease(second, "timers", "bo", lambda: ticks)
        assert (await ann.tend(), await bo.tend()) == (True, False)
        ticks += TAKEOVER_SECONDS
        assert (await ann.tend(), await bo.tend()) == (True, False)
        ticks += TAKEOVER_SECONDS
        assert (await bo.tend(), await ann.tend(), bo.term) == (True, False, 2)
        bo.leaving = "what the next one needs"
        assert await bo.tend()
        await bo.release()
        assert (bo.held, await ann.tend(), ann.inherited) == (False, True, "what the next one needs")
