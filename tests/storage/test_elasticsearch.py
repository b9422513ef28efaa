"""The contract on a real Elasticsearch, 9 and 8."""

from collections.abc import AsyncIterator

import pytest

from engine.ports.store import Store
from storage.elasticsearch.store import ElasticsearchStore
from tests.servers.elasticsearch import Servers
from tests.storage.contract import StoreContract
from tests.storage.elasticsearch_requests import asked, is_segment
from tests.storage.empty_prefix import empty_prefix
from tests.storage.erasing_contract import ErasingContract
from tests.storage.expunging_contract import ExpungingContract, Written
from tests.storage.file_contents import found_in
from tests.storage.following_contract import FollowingContract
from tests.storage.identity_contract import IdentityContract
from tests.storage.learning_contract import LearningContract
from tests.storage.reminding_contract import Refresh, RemindingContract


class Contract(
    FollowingContract, StoreContract, IdentityContract, RemindingContract, LearningContract, ErasingContract
):
    @pytest.fixture
    async def address(self, server: str) -> AsyncIterator[str]:
        async with empty_prefix(server) as prefix:
            yield f"{server}?prefix={prefix}"

    @pytest.fixture
    async def store(self, address: str) -> AsyncIterator[Store]:
        store = ElasticsearchStore.open(address)
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, address: str) -> AsyncIterator[Store]:
        second = ElasticsearchStore.open(address)
        yield second
        await second.close()

    @pytest.fixture
    def refresh(self, store: ElasticsearchStore) -> Refresh:
        async def refreshed() -> None:
            await store._search.refresh(store._names.profiles)

        return refreshed


class TestElasticsearchStore(Contract):
    @pytest.fixture
    def server(self, elasticsearch_url: str) -> str:
        return elasticsearch_url


class TestElasticsearchStoreOnServer8(Contract, ExpungingContract):
    """It takes half a minute to clear the files: `tests/system/test_forgetting.py` has the newer server do it."""

    def lasting(self, place: str) -> bool:
        return is_segment(place)

    @pytest.fixture
    def written(self, servers: Servers, server: str, address: str) -> Written:
        (node,) = [node for node in servers.nodes if node.url == server]

        async def occurrences(text: str) -> dict[str, int]:
            await asked(server, "POST", f"/{address.partition('prefix=')[2]}-*/_flush?force=true")
            return found_in(text, node.place)

        return occurrences

    @pytest.fixture
    def server(self, elasticsearch_8_url: str) -> str:
        return elasticsearch_8_url
