"""Searching in a real Elasticsearch, 9 and 8: the contract, and what its language cannot say."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ClassVar

import pytest

from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Session, SessionWrite, StoredEvent, Unit
from engine.ports.store import Store
from engine.search.parse import parse
from engine.search.translation import translate
from storage.elasticsearch import paging
from storage.elasticsearch.dsl import ALWAYS, NEVER, DslTranslation
from storage.elasticsearch.numbers import MOST, ordered_text
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.build import event
from tests.storage.empty_prefix import empty_prefix
from tests.storage.search_contract import Filled, SearchContract, ids

HAS_N = {"exists": {"field": "properties.n"}}


def numbered_session(n: int) -> SessionWrite:
    session = Session(source="web", id=f"s{n}", created=n, profile="ann", version=1, properties={"n": n})
    return SessionWrite(session, 0)


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
        for n in range(10):
            await store.commit(Unit(sessions=(numbered_session(n),)))
        page = await store.search(parse("properties.n:<1", SEARCHABLE["sessions"], 0), 10)
        assert page.items == ()
        assert page.after is not None
        assert await ids(store, "properties.n:<1", "sessions") == ["s0"]


async def test_a_range_of_numbers_reads_only_the_documents_that_it_finds(
    elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "AT_ONCE", 3)
    monkeypatch.setattr(paging, "MAX_READ", 5)
    async with empty_prefix(elasticsearch_url) as prefix, opened(elasticsearch_url, prefix) as store:
        await store.commit(Unit(events=tuple(event(f"e{n}", n=n - 5, text=str(n)) for n in range(20))))
        page = await store.search(parse('properties.n:<"-4"', SEARCHABLE["events"], 0), 10)
        assert [one.id for one in page.items if isinstance(one, StoredEvent)] == ["e0"]
        assert page.after is None
        assert await ids(store, "properties.n:[2.5 TO 4]") == ["e9", "e8"]
        assert await ids(store, "properties.text:>1") == []


async def test_a_range_finds_numbers_of_documents_that_an_earlier_version_wrote(
    elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with empty_prefix(elasticsearch_url) as prefix, opened(elasticsearch_url, prefix) as store:
        with monkeypatch.context() as earlier:
            earlier.setattr("storage.elasticsearch.kind_index.numbers_of", lambda value: None)
            await store.commit(Unit(events=(event("old", n=7), event("small", n=1))))
        await store.commit(Unit(events=(event("new", n=8), event("other", m=8), event("less", n=2))))
        assert await ids(store, "properties.n:>5") == ["new", "old"]
        assert await ids(store, "NOT properties.n:>5") == ["less", "other", "small"]


@pytest.mark.parametrize(("text", "possible", "certain"), [
    pytest.param("type:a", {"terms": {"type": ["a"]}}, {"terms": {"type": ["a"]}}, id="a word is said"),
    pytest.param("properties.n:>5", {"exists": {"field": "properties.n"}}, NEVER, id="a number in free fields is not"),
    pytest.param("properties.n:*", HAS_N, HAS_N, id="but that there is one"),
    pytest.param("properties.a\\*:*", ALWAYS, NEVER, id="nor a name that would be a pattern"),
    pytest.param("properties.a\0:x", ALWAYS, NEVER, id="nor one with a NUL"),
])  # fmt: skip
def test_what_cannot_be_said_is_left_to_the_predicate(text: str, possible: object, certain: object) -> None:
    assert translate(parse(text, SEARCHABLE["events"], 0).node, DslTranslation(SEARCHABLE["events"])) == (
        possible,
        certain,
    )


def test_a_range_of_numbers_is_certain_within_its_bounds() -> None:
    node = parse("properties.n:[5 TO *]", SEARCHABLE["events"], 0).node
    possible, certain = translate(node, DslTranslation(SEARCHABLE["events"], numbers=True))
    five = ordered_text(5)
    own = {"range": {"numbers.properties.n": {"gte": five, "lte": MOST}}}
    earlier = {"bool": {"filter": [HAS_N, {"bool": {"must_not": [{"exists": {"field": "numbers"}}]}}]}}
    assert possible == {"bool": {"should": [own, earlier], "minimum_should_match": 1}}
    assert certain == {"range": {"numbers.properties.n": {"gt": five, "lte": MOST}}}


def test_a_negation_leaves_out_only_what_is_certain() -> None:
    possible, _ = translate(
        parse("NOT properties.n:>5", SEARCHABLE["events"], 0).node, DslTranslation(SEARCHABLE["events"])
    )
    assert possible == {"bool": {"must_not": [NEVER]}}
