from collections.abc import AsyncIterator

import pytest

from tests.storage.elasticsearch_indices import Indices


@pytest.fixture
async def indices(elasticsearch_url: str) -> AsyncIterator[Indices]:
    indices = Indices(elasticsearch_url)
    yield indices
    await indices.close()
