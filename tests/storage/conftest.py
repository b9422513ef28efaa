from collections.abc import AsyncIterator

import pytest

from tests.storage.elasticsearch_indices import Place


@pytest.fixture
async def place(elasticsearch_url: str) -> AsyncIterator[Place]:
    place = Place(elasticsearch_url)
    yield place
    await place.close()
