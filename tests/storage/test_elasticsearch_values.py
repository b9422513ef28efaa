"""Values in Elasticsearch: whatever strangers send is kept as it came and adds no field to a mapping."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from engine.ports.records import ProfileWrite, SessionWrite, Unit
from engine.profile.document import Members
from storage.elasticsearch.searchable import searchable
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.build import event, profile, session
from tests.storage.elasticsearch_requests import asked, dropped

DEEP: Any = "bottom"
for _ in range(60):
    DEEP = {"a": DEEP}

STRANGE = [
    pytest.param(1, id="a number"),
    pytest.param("one", id="a text"),
    pytest.param({"one": 1}, id="an object"),
    pytest.param({f"key {n}": n for n in range(5000)}, id="5,000 keys"),
    pytest.param([1, "one", {"one": [None]}], id="a mixed list"),
    pytest.param({"": {".": 1, "a..b": 2, " ": 3}}, id="odd keys"),
    pytest.param({"a\0b": "\0"}, id="NUL"),
    pytest.param("x" * 40_000, id="40 kB of text"),
    pytest.param({"k" * 40_000: 1}, id="a key of 40 kB"),
    pytest.param({"k" * 300: {"l" * 300: "ü" * 30_000}}, id="long keys above a long text"),
    pytest.param(DEEP, id="60 deep"),
    pytest.param(2**60, id="a large number"),
    pytest.param(-(10**1000) + 1, id="a number of 1,000 digits"),
]
PREFIX = f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def server(elasticsearch_url: str) -> Iterator[str]:
    yield elasticsearch_url
    asyncio.run(dropped(elasticsearch_url, PREFIX))


@pytest.fixture
async def store(server: str) -> AsyncIterator[ElasticsearchStore]:
    store = ElasticsearchStore.open(f"{server}?prefix={PREFIX}")
    yield store
    await store.close()


async def fields(server: str) -> dict[str, Any]:
    """The mappings of all indices."""
    found = await asked(server, "GET", f"/{PREFIX}-*/_mapping")
    return {index: document["mappings"] for index, document in found.items()}


@pytest.mark.parametrize("value", STRANGE)
async def test_one_property_may_be_of_every_kind(server: str, store: ElasticsearchStore, value: Any) -> None:
    await store.commit(Unit(events=(event("before"), event("before"))))
    before = await fields(server)
    id = uuid.uuid4().hex
    shown = {"traits": {"it": value}, "pii": {"it": value}, "consents": {}, "segments": Members(("vip",))}
    visit = session(id, 1, it=value)
    kept = event(id, id, it=value)
    await store.commit(
        Unit(
            profiles=(ProfileWrite(profile(id, 1, it=value), 0, shown),),
            sessions=(SessionWrite(visit, 0),),
            events=(kept,),
        )
    )
    assert await store.event(id) == kept
    other = ElasticsearchStore.open(f"{server}?prefix={PREFIX}")
    assert await other.profile(id) == profile(id, 1, it=value)
    assert await other.session("web", id) == visit
    await other.close()
    after = await fields(server)
    assert {index: after[index] for index in before} == before


async def test_what_a_search_cannot_hold_is_kept_without_it(server: str, store: ElasticsearchStore) -> None:
    """The rules by which values are made searchable may be wrong: then the document is written without those."""
    id = uuid.uuid4().hex
    shown = {"traits": {}, "pii": {}, "consents": {}, "segments": [{"not": "a word"}]}
    await store.commit(Unit(profiles=(ProfileWrite(profile(id, 1, a=1), 0, shown),)))
    assert await store.profile(id) == profile(id, 1, a=1)


async def test_a_field_that_nobody_knows_is_refused(server: str, store: ElasticsearchStore) -> None:
    await store.commit(Unit(events=(event("e"),)))
    refused = await asked(server, "POST", f"/{PREFIX}-events-197001/_doc", {"surprise": 1})
    assert refused["error"]["type"] == "strict_dynamic_mapping_exception"


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(st.dictionaries(st.text(), trees))
def test_small_plain_values_are_searchable_as_they_are(tree: dict[str, Any]) -> None:
    encoded = json.encode(tree)
    if b"\\u0000" not in encoded and encoded.count(b"{") + encoded.count(b"[") < 18:
        assert bytes(searchable(tree)) == encoded


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        pytest.param({"a\0": 1, "b": 2}, {"b": 2}, id="a key with NUL"),
        pytest.param({"k" * 9000: 1, "b": 2}, {"b": 2}, id="a key that is too long"),
        pytest.param({"b": "\0"}, {"b": "\0"}, id="a text with NUL"),
    ],
)
def test_what_no_field_takes_is_left_out(tree: dict[str, Any], found: dict[str, Any]) -> None:
    assert json.decode(searchable(tree)) == found
