import pytest

from engine.tracking.ports import Store
from storage.memory import MemoryStore
from tests.storage.contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    @pytest.fixture
    def second(self, store: Store) -> Store:
        return store
