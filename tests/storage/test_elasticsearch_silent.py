"""An Elasticsearch that hangs: its process is stopped. Callers are answered within two seconds, and it goes on."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from engine.ports.records import Unit
from engine.ports.store import Unavailable
from storage.elasticsearch.store import ElasticsearchStore
from tests.servers.node import Node
from tests.storage.build import write
from tests.storage.elasticsearch_requests import dropped

LONGEST = 4.0  # seconds until a caller is answered: 2, with as many for a busy machine


@pytest.fixture
async def store(elasticsearch_url: str) -> AsyncIterator[ElasticsearchStore]:
    prefix = f"t{uuid4().hex[:12]}"
    store = ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}")
    await store.commit(Unit(profiles=(write("first"),)))
    yield store
    await store.close()
    await dropped(elasticsearch_url, prefix)


async def test_callers_of_a_server_that_hangs_are_refused_within_two_seconds(
    store: ElasticsearchStore, elasticsearch_node: Node
) -> None:
    loop = asyncio.get_running_loop()
    with elasticsearch_node.stopped():
        for _ in range(2):  # at first, and when it is known to hang
            started = loop.time()
            early = [asyncio.create_task(store.commit(Unit(profiles=(write(f"p-{n}"),)))) for n in range(20)]
            reads = [asyncio.create_task(store.profile(f"q-{n}")) for n in range(20)]
            outcomes = await asyncio.gather(*early, *reads, return_exceptions=True)
            assert loop.time() - started < LONGEST
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
        started = loop.time()
        assert "does not answer" in str(await store.ready())
        assert loop.time() - started < LONGEST
    assert await store.ready() is None
    await store.commit(Unit(profiles=(write("after"),)))


async def test_callers_of_a_server_that_cannot_be_reached_are_refused_within_two_seconds() -> None:
    store = ElasticsearchStore.open("http://127.0.0.1:1")
    store._opened = True  # it was reached before
    started = asyncio.get_running_loop().time()
    calls = [store.commit(Unit(profiles=(write("ann"),))), store.profile("ann"), store.session("web", "visit")]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert asyncio.get_running_loop().time() - started < LONGEST
    await store.close()
