"""Imports on Elasticsearch: each row counts once, also if the import dies between two writes."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from engine.ports.store import Store
from storage.elasticsearch.store import ElasticsearchStore
from tests.engine.tracking.importing.stores import Died, DyingStore
from tests.engine.tracking.importing.test_importing import imported, rows
from tests.identity.test_histories import dropped

ROWS = 2_000
PART = 500
TRIES = 60  # of what is counted only after a refresh
PAUSE = 0.25  # seconds


@pytest.fixture
async def store(elasticsearch_url: str) -> AsyncIterator[Store]:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    opened: Store = ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}")
    await opened.migrate()
    yield opened
    await opened.close()
    await dropped(elasticsearch_url, prefix)


async def test_each_row_of_a_file_counts_once_after_a_death(store: Store) -> None:
    with suppress(Died, ExceptionGroup):
        await imported(DyingStore(store, writes=15), rows(ROWS), PART, by="dies")
    record = await imported(store, rows(ROWS), PART, by="last")
    assert (record.rows, record.stored, record.refused) == (ROWS, ROWS, 0)
    for _ in range(TRIES):
        if (counts := await store.counts())["events"] >= ROWS:
            break
        await asyncio.sleep(PAUSE)
    assert (counts["events"], counts["profiles"]) == (ROWS, 3)
