"""The contract of all kinds of records on a real Elasticsearch, 9 and 8."""

from collections.abc import AsyncIterator

import pytest

from engine.ports.store import Store
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.elasticsearch_requests import asked
from tests.storage.empty_prefix import empty_prefix
from tests.storage.kinds import ALL_KINDS
from tests.storage.kinds_contract import KindsContract, Seen


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
    def seen(self, server: str, address: str) -> Seen:
        async def refreshed() -> None:
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
