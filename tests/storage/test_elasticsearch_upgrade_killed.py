"""Upgrades of the indices of an earlier version: their lines, the profiles that are due afterwards, and killed ones.

The data were written by commit ca13a6d, see `upgrade/write_linked_store.py`.
"""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.profile.grouping import DUE_AT_ONCE
from engine.profile.linking import is_one_group
from storage.encoding import decode_profile
from tests.storage.elasticsearch_indices import Indices
from tests.storage.elasticsearch_requests import asked
from tests.storage.upgrade.fixture import load
from tests.storage.upgrade.linked import INDICES, data_of_indices
from tests.storage.upgrade.today import without_times

pytestmark = pytest.mark.timeout(300)  # starting an Elasticsearch is part of the first test

ROOT = Path(__file__).parent.parent.parent

# Upgrades the indices of an address, and ends after so many writes from the first one of keys on, as a process does
# that is killed.
UPGRADE_AND_DIE = """
import asyncio, os, signal, sys
from storage.elasticsearch.store import ElasticsearchStore
from storage.elasticsearch.writer import Writer

address, left, begun = sys.argv[1], int(sys.argv[2]), False
send, one = Writer.send, Writer.one

def die_in_time(operations):
    global left, begun
    begun = begun or any(b'-keys"' in each.line for each in operations)
    left -= begun
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

async def dying_send(self, operations):
    sent = await send(self, operations)
    die_in_time(operations)
    return sent

async def dying_one(self, operation):
    written = await one(self, operation)
    die_in_time([operation])
    return written

Writer.send, Writer.one = dying_send, dying_one
asyncio.run(ElasticsearchStore.open(address).migrate())
"""


@pytest.fixture
async def indices(elasticsearch_url: str) -> AsyncIterator[Indices]:
    indices = Indices(elasticsearch_url)
    try:
        await load(elasticsearch_url, indices.prefix, INDICES)
        yield indices
    finally:
        await indices.close()


def exit_code_of_upgrade(address: str, writes: int) -> int:
    command = [sys.executable, "-c", UPGRADE_AND_DIE, address, str(writes)]
    return subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode


async def documents(indices: Indices, kind: str) -> list[dict[str, Any]]:
    """The documents of a kind as they are stored."""
    await asked(indices.server, "POST", f"/{indices.prefix}-{kind}/_refresh")
    found = await asked(indices.server, "GET", f"/{indices.prefix}-{kind}/_search?size=10000")
    return [hit["_source"] for hit in found["hits"]["hits"]]


async def content(indices: Indices) -> tuple[dict[str, str], dict[str, Any]]:
    """The keys, and the profiles without the times at which claims have ceased."""
    keys = {key["key"]: key["id"] for key in await documents(indices, "keys")}
    living = [each for each in await documents(indices, "profiles") if each.get("live")]
    return keys, {each["id"]: (each.get("due"), without_times(json.loads(each["doc"]))) for each in living}


async def test_an_upgrade_and_a_preview_of_it_report_the_same_changes(indices: Indices) -> None:
    store, apart = indices.store(), data_of_indices().apart()
    would = await store.preview_migration()
    done = [line for line in await store.migrate() if ": " in line]
    assert would == [line.replace("were", "would be") for line in done]
    assert done[-1] == f"profiles that a server will set apart: {len(apart)}, into {sum(map(len, apart))}"
    assert [await store.migrate(), await store.preview_migration()] == [[], []]


async def test_profiles_that_are_to_be_set_apart_are_due_after_an_upgrade(indices: Indices) -> None:
    store = indices.store()
    await store.migrate()
    living = [decode_profile(each["doc"]) for each in await documents(indices, "profiles") if each.get("live")]
    apart = sorted(each.id for each in living if not is_one_group(each))
    assert len(apart) == len(data_of_indices().apart())
    assert sorted(await store.due(DUE_AT_ONCE, 10_000)) == apart


@pytest.mark.parametrize("writes", [1, 2, 3, 60])
async def test_an_upgrade_that_was_killed_is_finished_by_the_next_process(
    elasticsearch_url: str, indices: Indices, writes: int
) -> None:
    """The first write creates keys, the second deletes the earlier ones; then come profiles, one by one."""
    assert exit_code_of_upgrade(f"{elasticsearch_url}?prefix={indices.prefix}", writes) == -signal.SIGKILL
    assert await indices.store().migrate()
    unbroken = Indices(elasticsearch_url)
    try:
        await load(elasticsearch_url, unbroken.prefix, INDICES)
        await unbroken.store().migrate()
        assert await content(indices) == await content(unbroken)
    finally:
        await unbroken.close()
