"""What every store promises of profiles that are due, and of notes. Each adapter's test class inherits it.

It gives `store` and `second`. `seen` makes what was committed visible, where that takes a while.
"""

from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs

from engine.ports.records import ProfileWrite, Unit
from engine.ports.store import Conflict, Store
from engine.profile.merge import tombstone
from tests.storage.build import profile, write

Seen = Callable[[], Awaitable[None]]


def due(id: str, at: int | None, expected: int = 0, moved: bool = True) -> Unit:
    """A unit that writes a profile which is due at a time."""
    return Unit(profiles=(ProfileWrite(structs.replace(profile(id, expected + 1), due=at), expected, None, moved),))


class RemindingContract:
    """The tests; one promise each."""

    @pytest.fixture
    def seen(self) -> Seen:
        async def at_once() -> None:
            pass

        return at_once

    async def test_nobody_is_due_in_an_empty_store(self, store: Store) -> None:
        assert await store.due(2**60, 10) == []

    async def test_those_are_due_whose_time_has_come_the_longest_waiting_first(
        self, store: Store, second: Store, seen: Seen
    ) -> None:
        for id, at in (("bo", 30), ("ann", 20), ("cy", 10), ("dan", None), ("eve", 31), ("fay", 0)):
            await store.commit(due(id, at))
        await seen()
        assert await second.due(30, 10) == ["fay", "cy", "ann", "bo"]
        assert await second.due(30, 2) == ["fay", "cy"]
        assert await second.due(-1, 10) == []
        assert await second.due(30, 0) == []

    async def test_a_profile_is_due_when_its_last_commit_says(self, store: Store, seen: Seen) -> None:
        await store.commit(due("ann", 20))
        await store.commit(due("ann", 50, expected=1))
        await seen()
        assert await store.due(49, 10) == []
        assert await store.due(50, 10) == ["ann"]
        await store.commit(due("ann", None, expected=2))
        await seen()
        assert await store.due(2**60, 10) == []

    async def test_what_has_not_moved_need_not_be_written(self, store: Store, seen: Seen) -> None:
        await store.commit(due("ann", 20))
        await store.commit(due("ann", 20, expected=1, moved=False))
        await seen()
        assert await store.due(20, 10) == ["ann"]

    async def test_a_unit_that_conflicts_moves_nothing(self, store: Store, seen: Seen) -> None:
        await store.commit(due("ann", 20))
        with pytest.raises(Conflict):
            await store.commit(due("ann", 90, expected=7))
        await seen()
        assert await store.due(20, 10) == ["ann"]

    async def test_a_tombstone_is_never_due(self, store: Store, seen: Seen) -> None:
        await store.commit(due("ann", 20))
        await store.commit(due("bo", 20))
        stone = structs.replace(tombstone(profile("bo", 1), "ann"), due=5)
        await store.commit(Unit(profiles=(ProfileWrite(stone, 1), write("ann", 1))))
        await seen()
        assert await store.due(2**60, 10) == []

    async def test_a_note_is_kept_until_the_next_one(self, store: Store, second: Store) -> None:
        assert await store.note("segments") is None
        await store.keep_note("segments", b'{"a": "\xc3\xa4"}')
        assert await second.note("segments") == b'{"a": "\xc3\xa4"}'
        await second.keep_note("segments", b"{}")
        assert await store.note("segments") == b"{}"
        assert await store.note("others") is None
