"""Keys and profiles of schema 5 in Elasticsearch get new names and links, also when processes end while they do it.

The fixture was written by the code of commit ca13a6d, see `upgrade/write_interrupted_store.py`: claims and proofs of
thirty groups of visitors, joined by steps, some of them undone, two forgotten profiles, and commits that broke off.
"""

import asyncio
import gzip
from typing import Any

import pytest
from msgspec import json

from engine.profile.document import Link, Profile
from engine.profile.linking import Pool, groups, proven_sender
from storage.elasticsearch.store import ElasticsearchStore
from storage.elasticsearch.templates import SCHEMA
from storage.encoding import decode_profile
from storage.identity_upgrade import new_key
from tests.storage.elasticsearch_indices import Indices
from tests.storage.elasticsearch_requests import asked
from tests.storage.failing_connection import FailingConnection, WriteFailure
from tests.storage.upgrade.fixture import HERE, load
from tests.storage.upgrade.linked import expected_groups

FIXTURE = "interrupted.elasticsearch.jsonl"


def old_sources(kind: str) -> list[dict[str, Any]]:
    """The documents of the fixture in the index of a kind."""
    lines = [json.decode(line) for line in gzip.decompress((HERE / f"{FIXTURE}.gz").read_bytes()).splitlines()]
    return [line["source"] for line in lines if "source" in line and line["index"].endswith(kind)]


def old_keys() -> list[tuple[str, str, bool]]:
    """The keys of the fixture: name, id, and whether it is only claimed."""
    return [(source["key"], source["id"], source.get("claim", False)) for source in old_sources("-keys")]


def old_profiles() -> dict[str, Profile]:
    """The living profiles of the fixture that carry nothing which is still to be written, as they were stored."""
    sources = [source for source in old_sources("-profiles") if source.get("live") and not source.get("pending")]
    return {source["id"]: json.decode(source["doc"], type=Profile) for source in sources}


async def stored(indices: Indices, kind: str) -> list[dict[str, Any]]:
    """The documents in the index of a kind, as they are stored now."""
    await asked(indices.server, "POST", f"/{indices.prefix}-{kind}/_refresh")
    found = await asked(indices.server, "GET", f"/{indices.prefix}-{kind}/_search?size=10000")
    return [hit["_source"] for hit in found["hits"]["hits"]]


async def outcome(indices: Indices) -> tuple[Any, Any]:
    """The keys, and the profiles with their links, without the times at which claims have ceased."""
    keys = sorted((source["key"], source["id"]) for source in await stored(indices, "keys"))
    profiles = {}
    for source in await stored(indices, "profiles"):
        doc = source.get("frozen" if source.get("open") else "doc")
        links = decode_profile(doc).links.values() if doc is not None else ()
        profiles[source["id"]] = source.get("merged_into"), sorted([_plain(link) for link in links])
    return keys, profiles


def _plain(link: Link) -> tuple[str, str, str, bool, bool]:
    return link.left, link.kind, link.right, bool(link.ceased), bool(link.undone)


@pytest.fixture
async def upgraded(indices: Indices) -> ElasticsearchStore:
    """A store of today on the old indices."""
    await load(indices.server, indices.prefix, FIXTURE)
    store = indices.store()
    await store.migrate()
    return store


def test_the_fixture_has_all_that_is_to_be_upgraded() -> None:
    profiles = old_profiles().values()
    steps = [step for profile in profiles for step in profile.steps.values()]
    assert {(step.claim, step.undone) for step in steps} >= {(True, False), (False, False), (True, True)}
    assert {claim for _, _, claim in old_keys()} == {True, False}
    assert any(key.startswith("forgotten ") for key, _, _ in old_keys())
    entries = [json.decode(text) for source in old_sources("-profiles") for text in source.get("pending", ())]
    assert {name for entry in entries for name in ("over", "taken") if entry.get(name)} == {"over", "taken"}
    assert any(source.get("open") for source in old_sources("-profiles"))


async def test_every_key_of_an_older_schema_is_found_under_its_new_name(
    indices: Indices, upgraded: ElasticsearchStore
) -> None:
    secret = await upgraded.secret()
    names = {source["key"] for source in await stored(indices, "keys")}
    over = {
        entry["key"]
        for source in old_sources("-profiles")
        for text in source.get("pending", ())
        for entry in json.decode(text).get("over", ())
    }
    for key, id, claim in old_keys():
        if key in over:
            continue
        found = await upgraded.key(new_key(secret, key, claim))
        assert found is not None
        assert found.id == id
        assert (key in names) == key.startswith("forgotten ")
    assert not any("@" in name for name in names)


async def test_the_parts_of_upgraded_profiles_are_the_groups_by_the_rules(upgraded: ElasticsearchStore) -> None:
    keys, profiles = old_keys(), old_profiles()
    several = 0
    for id, before in profiles.items():
        after = await upgraded.profile(id)
        assert after is not None
        if after.version != before.version or after.parts.keys() != before.parts.keys():
            continue  # a merge into it broke off
        assert sorted(map(sorted, groups(Pool.of(after)))) == expected_groups(keys, before)
        several += len(groups(Pool.of(after))) > 1
    assert several > 5


async def test_the_holder_of_a_proven_key_is_proven(upgraded: ElasticsearchStore) -> None:
    proven = [id for key, id, claim in old_keys() if id and not claim]
    assert len(proven) > 10
    for id in proven:
        profile = await upgraded.profile(id)
        assert profile is not None
        assert proven_sender(profile, id)


async def test_a_preview_says_what_an_upgrade_then_does(indices: Indices) -> None:
    await load(indices.server, indices.prefix, FIXTURE)
    store = indices.store()
    before = await outcome(indices)
    would = await store.preview_migration()
    assert await outcome(indices) == before
    done = [line for line in await store.migrate() if "template" not in line and "index" not in line]
    assert len(would) == len(done) == 3
    assert [line.split(":")[0].replace("would be", "were") for line in would] == [line.split(":")[0] for line in done]
    assert would[0].split(":")[1] == done[0].split(":")[1]
    assert [await store.migrate(), await store.preview_migration()] == [[], []]
    (mapping,) = (await asked(indices.server, "GET", f"/{indices.prefix}-keys/_mapping")).values()
    assert mapping["mappings"]["_meta"]["schema"] == SCHEMA


@pytest.mark.timeout(300)
@pytest.mark.parametrize("nth", [1, 30, 60, 150])
async def test_an_upgrade_that_broke_off_is_done_by_the_next_process(indices: Indices, nth: int) -> None:
    await load(indices.server, indices.prefix, FIXTURE)
    whole = Indices(indices.server)
    try:
        await load(whole.server, whole.prefix, FIXTURE)
        await whole.store().migrate()
        expected = await outcome(whole)
    finally:
        await whole.close()
    store = indices.store()
    failing = FailingConnection(store, nth, WriteFailure.CRASH)
    assert await failing.until(_migrated(store)), "it needs fewer writes than that"
    indices.stores.remove(store)
    await store._connection.close()
    assert await indices.store().migrate()
    assert await outcome(indices) == expected


async def _migrated(store: ElasticsearchStore) -> None:
    await store.migrate()


async def test_several_processes_may_upgrade_at_once(indices: Indices) -> None:
    await load(indices.server, indices.prefix, FIXTURE)
    stores = [indices.store() for _ in range(3)]
    await asyncio.gather(*[store.migrate() for store in stores])
    keys, _ = await outcome(indices)
    assert len({key for key, _ in keys}) == len(keys) == len(old_keys())
    assert await indices.store().migrate() == []
