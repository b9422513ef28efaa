"""The contract of all kinds of records on a real Elasticsearch, 9 and 8."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from engine.ports.kinds import KINDS
from engine.ports.records import RecordWrite, Unit
from engine.ports.store import Store
from engine.search.parse import parse
from storage.elasticsearch.store import ElasticsearchStore
from storage.elasticsearch.templates import SCHEMA
from tests.storage.elasticsearch_indices import Indices
from tests.storage.elasticsearch_requests import asked
from tests.storage.empty_prefix import empty_prefix
from tests.storage.kinds import ALL_KINDS, LETTERS, REMARKS, letter, remark
from tests.storage.kinds_contract import KindsContract, Refresh


class Contract(KindsContract):
    @pytest.fixture
    async def address(self, server: str) -> AsyncIterator[str]:
        async with empty_prefix(server) as prefix:
            yield f"{server}?prefix={prefix}"

    @pytest.fixture
    async def store(self, address: str) -> AsyncIterator[Store]:
        store = ElasticsearchStore.open(address, ALL_KINDS)
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, address: str) -> AsyncIterator[Store]:
        second = ElasticsearchStore.open(address, ALL_KINDS)
        yield second
        await second.close()

    @pytest.fixture
    def refresh(self, server: str, address: str, store: ElasticsearchStore, second: ElasticsearchStore) -> Refresh:
        async def refreshed() -> None:
            await asyncio.gather(store.counts(), second.counts())  # what they have committed is written
            await asked(server, "POST", f"/{address.partition('prefix=')[2]}-*/_refresh")

        return refreshed


class TestKindsInElasticsearch(Contract):
    @pytest.fixture
    def server(self, elasticsearch_url: str) -> str:
        return elasticsearch_url


class TestKindsInElasticsearch8(Contract):
    @pytest.fixture
    def server(self, elasticsearch_8_url: str) -> str:
        return elasticsearch_8_url


async def test_kinds_that_were_added_and_fields_that_were_added_to_kinds_are_stored_at_once(indices: Indices) -> None:
    """Without a new schema, also where an index was made before."""
    without = structs.replace(LETTERS, search={"id": "word", "at": "moment"}, due=None)
    older = indices.store((*KINDS, without))
    await older.commit(Unit(changes=(RecordWrite(without, letter("a"), 0),)))
    newer = indices.store(ALL_KINDS)
    done = await newer.migrate()
    assert f"upgraded the index {indices.prefix}-letters to schema {SCHEMA}" in done
    assert f"made the template {indices.prefix}-remarks (schema {SCHEMA})" in done
    assert await newer.migrate() == await older.migrate() == []
    changes = (RecordWrite(LETTERS, letter("b", state="sent", due=5), 0), RecordWrite(LETTERS, letter("a", 2), 1))
    await newer.commit(Unit(changes=changes, records={"remarks": (remark(),)}))
    await older.commit(Unit(changes=(RecordWrite(without, letter("c"), 0),)))
    assert await newer.record(REMARKS, "r") == remark()
    assert LETTERS.searchable is not None
    for text, ids in (("state:sent", ["b"]), ("state:waiting", ["a"]), ("", ["c", "b", "a"])):
        page = await newer.search(parse(text, LETTERS.searchable, 0), 9)
        assert [LETTERS.id_of(one) for one in page.items] == ids
