"""Writes the fixture of profiles that earlier versions joined by steps. It runs with the code of commit ca13a6d:

    git worktree add OLD ca13a6d
    PYTHONPATH=OLD python tests/storage/upgrade/write_linked_store.py sqlite
    PYTHONPATH=OLD python tests/storage/upgrade/write_linked_store.py elasticsearch http://127.0.0.1:PORT

`play` sends the events of `linked_story.py` to a store of that commit; the file or the indices that come of it are kept
beside this script.
"""

# ruff: noqa: E402 - the order of imports matters

import asyncio
import gzip
import json
import lzma
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import tests.storage.upgrade

HERE = Path(__file__).parent
tests.storage.upgrade.__path__ = [*tests.storage.upgrade.__path__, str(HERE)]

from engine.ports.store import Store
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.operations.unmerging import unmerge_served
from storage.elasticsearch.store import ElasticsearchStore
from storage.sqlite.store import SqliteStore
from tests import projects
from tests.engine.tracking.collector import Collector
from tests.storage.elasticsearch_requests import asked, dropped, indices_of
from tests.storage.upgrade.linked_story import FLOWS, GROUPS, KEYS, payloads

HOUR = 3_600_000  # ms
PREFIX = "upgrade"
MADE = ("creation_date", "uuid", "version", "provided_name", "routing", "number_of_replicas")  # by the server
UNDONE = 7  # every seventh group has a link undone
FORGOTTEN = 25  # every twenty-fifth group has a profile that is forgotten


def project() -> Any:
    """The project that the events are sent to."""
    key = sha256(KEYS["till"].encode()).hexdigest()
    sources = (
        projects.Source(source="shop", identify="link", profiles=True),
        projects.Source(source="till", kind="secret", identify="trust", key=key, profiles=True),
    )
    return projects.project(*FLOWS, sources=sources)


async def play(store: Store, refresh: Callable[[], Awaitable[object]]) -> None:
    """Send all events, undo links and forget profiles. `refresh` makes a store find what was just committed."""
    collector = Collector(project(), store, keys=KEYS)
    for group in range(GROUPS):
        ids: dict[int, str] = {}
        for source, visitor, event in payloads(group):
            collector.clock.advance(HOUR)
            if event["type"] == "device-linked":
                event["properties"]["other"] = ids[0]
            session = f"visit-{group}-{visitor}"
            body = {"source": {"id": source}, "session": {"id": session}, "events": [event]}
            if source == "till" and visitor in ids:
                body["profile"] = {"id": ids[visitor]}
            await collector.track(body, debug=False)
            ids.setdefault(visitor, await _acting_id(store, source, session))
        if group % UNDONE == 0:
            await _undo_a_link(collector, ids.values())
        if group % FORGOTTEN == 0:
            await refresh()
            forgetter = Forgetter(store, collector.clock, collector.pipeline, quiet_ms=0, pause=0)
            await forgetter.finish(await forgetter.begin(ids[11], f"group {group}"))


async def _acting_id(store: Store, source: str, session: str) -> str:
    found = await store.session(source, session)
    assert found is not None
    assert found.profile is not None
    return found.profile


async def _undo_a_link(collector: Collector, ids: Any) -> None:
    """Undo the first link of the first of these profiles that has one."""
    for id in ids:
        profile = await collector.store.profile(id)
        if profile is not None and profile.links:
            await unmerge_served(collector.pipeline, id, min(profile.links))
            return


async def write_sqlite() -> None:
    """Keep the file, compressed; the same bytes for the same file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        store = SqliteStore.open(path)
        await play(store, store.ready)
        await store.close()
        with sqlite3.connect(path) as connection:
            connection.execute("VACUUM")
        connection.close()
        (HERE / "linked.sqlite.db.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


async def write_elasticsearch(server: str) -> None:
    """Keep templates, indices and documents, compressed, as requests that make them."""
    await dropped(server, PREFIX)
    store = ElasticsearchStore.open(f"{server}?prefix={PREFIX}")
    await play(store, lambda: asked(server, "POST", f"/{PREFIX}-*/_refresh"))
    await store.close()
    lines = [*await _templates(server), *await _indices(server), *await _documents(server)]
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    (HERE / "linked.elasticsearch.jsonl.xz").write_bytes(lzma.compress(text.encode(), preset=9))
    await dropped(server, PREFIX)


async def _templates(server: str) -> list[Any]:
    found = (await asked(server, "GET", f"/_index_template/{PREFIX}-*"))["index_templates"]
    bodies = {each["name"]: each["index_template"] for each in found}
    return [
        {"template": name, "body": {key: body[key] for key in body if not key.endswith("_date_millis")}}
        for name, body in bodies.items()
    ]


async def _indices(server: str) -> list[Any]:
    lines = []
    for name in await indices_of(server, PREFIX):
        (index,) = (await asked(server, "GET", f"/{name}")).values()
        settings = {key: value for key, value in index["settings"]["index"].items() if key not in MADE}
        body = {"aliases": index["aliases"], "mappings": index["mappings"], "settings": {"index": settings}}
        lines.append({"index": name, "body": body})
    return lines


async def _documents(server: str) -> list[Any]:
    await asked(server, "POST", f"/{PREFIX}-*/_refresh")
    hits = (await asked(server, "GET", f"/{PREFIX}-*/_search?size=10000&version=true&sort=_doc"))["hits"]["hits"]
    assert len(hits) < 10_000
    hits.sort(key=lambda hit: (hit["_index"], hit["_id"]))
    return [{name.strip("_"): hit[name] for name in ("_index", "_id", "_version", "_source")} for hit in hits]


if __name__ == "__main__":
    asyncio.run(write_sqlite() if sys.argv[1] == "sqlite" else write_elasticsearch(sys.argv[2]))
