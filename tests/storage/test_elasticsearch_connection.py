"""The connection to a real Elasticsearch, where the client library is in the way."""

import logging
from collections.abc import Iterator
from uuid import uuid4

import pytest

from engine.ports.records import Unit
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.build import cells, write
from tests.storage.elasticsearch_requests import dropped


@pytest.fixture
def listened() -> Iterator[None]:
    """A handler listens to the log of the transport, which then looks at bodies."""
    log, handler = logging.getLogger("elastic_transport.node"), logging.NullHandler()
    log.addHandler(handler)
    yield
    log.removeHandler(handler)


async def test_large_documents_are_written_also_when_the_transport_logs(elasticsearch_url: str, listened: None) -> None:
    prefix = f"t{uuid4().hex[:12]}"
    store = ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}")
    try:
        await store.commit(Unit(profiles=(write("ann", text="x" * 3_000_000),)))
        assert len(cells(await store.profile("ann"))["text"]) == 3_000_000
    finally:
        await store.close()
        await dropped(elasticsearch_url, prefix)
