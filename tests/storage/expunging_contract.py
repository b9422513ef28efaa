"""The contract of all stores for their files after an erasure. Each adapter's test class inherits it.

The class defines the fixture `written`, which counts a text in each file of the store; and `lasting`, which says in
which of these files documents are stored permanently, as opposed to logs, which are trimmed anyway.
"""

import secrets
from collections.abc import Awaitable, Callable

from engine.ports.store import Store
from tests.storage.erasing_contract import of, there

Written = Callable[[str], Awaitable[dict[str, int]]]


class ExpungingContract:
    """The tests."""

    def lasting(self, place: str) -> bool:
        """Whether documents are stored permanently in this file."""
        return True

    async def test_no_byte_of_an_erased_document_is_left_and_the_others_stay(
        self, store: Store, written: Written
    ) -> None:
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
