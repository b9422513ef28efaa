import pytest

from engine.ports.store import Store
from storage.memory import MemoryStore
from tests.storage.contract import StoreContract
from tests.storage.erasing_contract import ErasingContract
from tests.storage.expunging_contract import ExpungingContract, Written
from tests.storage.following_contract import FollowingContract
from tests.storage.identity_contract import IdentityContract
from tests.storage.kinds import ALL_KINDS
from tests.storage.kinds_contract import KindsContract
from tests.storage.learning_contract import LearningContract
from tests.storage.reminding_contract import RemindingContract
from tests.storage.search_contract import SearchContract


class TestMemoryStore(
    FollowingContract,
    StoreContract,
    IdentityContract,
    RemindingContract,
    LearningContract,
    ErasingContract,
    ExpungingContract,
):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    @pytest.fixture
    def second(self, store: Store) -> Store:
        return store

    @pytest.fixture
    def written(self, store: Store) -> Written:
        async def counts_of(text: str) -> dict[str, int]:
            assert isinstance(store, MemoryStore)
            tables = {name: vars(table) for name, table in store._tables.items()}
            counted = {name: str(held).count(text) for name, held in (vars(store) | tables).items()}
            return {name: count for name, count in counted.items() if count}

        return counts_of


async def test_a_store_uses_the_given_key_or_draws_one() -> None:
    assert await MemoryStore(bytes(32)).secret() == bytes(32)
    assert await MemoryStore().secret() != await MemoryStore().secret()


class TestSearchInMemory(SearchContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestKindsInMemory(KindsContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore(kinds=ALL_KINDS)

    @pytest.fixture
    def second(self, store: Store) -> Store:
        return store
