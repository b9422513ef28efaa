"""What every store promises of its files once something has been erased. Each adapter's test class inherits it.

The class gives `written`: where a text is in what the store has written, and how often; and says by `lasting` in which
of these places documents come to rest, as opposed to logs, which pass by themselves.
"""

import secrets
from collections.abc import Awaitable, Callable

from engine.ports.store import Store
from tests.storage.erasing_contract import of, there

Written = Callable[[str], Awaitable[dict[str, int]]]


class ExpungingContract:
    """The tests."""

    def lasting(self, place: str) -> bool:
        """Whether documents come to rest there."""
        return True

    async def test_no_byte_is_left_of_what_was_erased_and_all_else_stays(self, store: Store, written: Written) -> None:
        ann, bo = secrets.token_hex(16), secrets.token_hex(16)
        for who in (ann, bo):
            await store.commit(of(who))
        kept = await there(store, bo)
        assert any(map(self.lasting, await written(ann)))
        subject = await store.data_subject(frozenset({ann}))
        await store.remove(ann, 1)
        await store.erase(subject)
        await store.expunge()
        assert await written(ann) == {}
        assert any(map(self.lasting, await written(bo)))
        assert await there(store, bo) == kept
