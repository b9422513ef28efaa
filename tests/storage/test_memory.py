import pytest

from engine.tracking.ports import Store
from storage.memory import MemoryStore
from tests.storage.contract import StoreContract
from tests.storage.erasing_contract import ErasingContract
from tests.storage.reminding_contract import RemindingContract
from tests.storage.search_contract import SearchContract


class TestMemoryStore(StoreContract, RemindingContract, ErasingContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    @pytest.fixture
    def second(self, store: Store) -> Store:
        return store


class TestSearchInMemory(SearchContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()
