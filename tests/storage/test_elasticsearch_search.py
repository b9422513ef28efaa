"""Searching in a real Elasticsearch, 9 and 8: the contract, and what its language cannot say."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ClassVar

import pytest

from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Unit
from engine.ports.store import Store
from engine.search.parse import parse
from engine.search.translation import translate
from storage.elasticsearch import paging
from storage.elasticsearch.dsl import ALWAYS, NEVER, DslTranslation
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.build import event
from tests.storage.empty_prefix import empty_prefix
from tests.storage.search_contract import Filled, SearchContract, ids


@asynccontextmanager
async def opened(url: str, prefix: str) -> AsyncIterator[ElasticsearchStore]:
    store = ElasticsearchStore.open(f"{url}?prefix={prefix}")
    try:
        yield store
    finally:
        await store.close()


class Contract(SearchContract):
    """The stores that no test changes are filled once: making the indices of a store takes seconds."""

    full: ClassVar[dict[str, str]]

    @pytest.fixture
    async def store(self, url: str) -> AsyncIterator[Store]:
        async with empty_prefix(url) as prefix, opened(url, prefix) as store:
            yield store

    @pytest.fixture
    async def filled(self, url: str) -> AsyncIterator[Filled]:
        async with AsyncExitStack() as stack:

            async def fill(name: str, units: Iterable[Unit]) -> Store:
                known = name in self.full
                prefix = self.full.setdefault(name, f"t{uuid.uuid4().hex[:12]}")
                store = await stack.enter_async_context(opened(url, prefix))
                for one in () if known else units:
                    await store.commit(one)
                return store

            yield fill


class TestSearchInElasticsearch(Contract):
    full: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def url(self, elasticsearch_url: str) -> str:
        return elasticsearch_url


class TestSearchInElasticsearch8(Contract):
    full: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def url(self, elasticsearch_8_url: str) -> str:
        return elasticsearch_8_url


async def test_a_page_that_reads_too_much_ends_short_with_a_cursor(
    elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "AT_ONCE", 3)
    monkeypatch.setattr(paging, "MAX_READ", 5)
    async with empty_prefix(elasticsearch_url) as prefix, opened(elasticsearch_url, prefix) as store:
        await store.commit(Unit(events=tuple(event(f"e{n}", n=n) for n in range(10))))
        page = await store.search(parse("properties.n:<1", SEARCHABLE["events"], 0), 10)
        assert page.items == ()
        assert page.after is not None
        assert await ids(store, "properties.n:<1") == ["e0"]


@pytest.mark.parametrize(("text", "possible", "certain"), [
    pytest.param("type:a", {"terms": {"type": ["a"]}}, {"terms": {"type": ["a"]}}, id="a word is said"),
    pytest.param("properties.n:>5", {"exists": {"field": "properties.n"}}, NEVER, id="a number in free fields is not"),
    pytest.param("properties.a\\*:*", ALWAYS, NEVER, id="nor a name that would be a pattern"),
    pytest.param("properties.a\0:x", ALWAYS, NEVER, id="nor one with a NUL"),
])  # fmt: skip
def test_what_cannot_be_said_is_left_to_the_predicate(text: str, possible: object, certain: object) -> None:
    assert translate(parse(text, SEARCHABLE["events"], 0).node, DslTranslation(SEARCHABLE["events"])) == (
        possible,
        certain,
    )


def test_a_negation_leaves_out_only_what_is_certain() -> None:
    possible, _ = translate(
        parse("NOT properties.n:>5", SEARCHABLE["events"], 0).node, DslTranslation(SEARCHABLE["events"])
    )
    assert possible == {"bool": {"must_not": [NEVER]}}
