"""Writes the upgrade fixtures. It runs with the code of commit bab23d4, never with today's:

    git worktree add OLD bab23d4
    PYTHONPATH=OLD python tests/storage/upgrade/write_old_store.py sqlite
    PYTHONPATH=OLD python tests/storage/upgrade/write_old_store.py elasticsearch http://127.0.0.1:PORT

It plays `story.py`, and then stores beside this file the data as the old code left it, and what the old code answers
about it. On Elasticsearch it also breaks off several commits in the middle, as the end of a process does.
"""

# ruff: noqa: E402, I001 - the order of imports matters, and most of these modules exist in that commit only

import asyncio
import gzip
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import tests

HERE = Path(__file__).parent
tests.__path__.append(str(HERE.parents[1]))

from engine.profile.shown import shown
from engine.tracking.forgetting import Forgetter
from engine.tracking.ports import Store
from engine.tracking.triggers import Triggers
from engine.tracking.unmerging import unmerge_served

from engine.profile.fold import fold
from engine.tracking import reevaluation
from storage.elasticsearch.store import ElasticsearchStore
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.storage.cluster import asked, dropped, indices_of
from tests.storage.failing import Failing, How
from tests.storage.upgrade import story
from tests.storage.upgrade.reader import answers

PREFIX = "upgrade"
BROKEN_OFF = 8  # commits

Refresh = Callable[[], Awaitable[object]]


def view(profile: Any) -> dict[str, Any]:
    """The profile that clients see."""
    return shown(profile, fold(profile))


async def play(store: Store, refresh: Refresh) -> list[str]:
    """Send all payloads, and do what operators and time do; returns the ids of all profiles that ever were.

    `refresh` makes a store find what was just committed.
    """
    collector = Collector(story.project(), store, keys=story.KEYS)
    ids: dict[str, None] = {}
    for number, (wait, body) in enumerate(story.payloads()):
        collector.clock.advance(wait)
        answer = await collector.track(body, debug=number % 2 == 0)
        if "profile" in answer:
            ids[answer["profile"]["id"]] = None
    linked = {"type": "device-linked", "properties": {"other": await session(store, "reader-1")}}
    await collector.track({"source": {"id": "till"}, "session": {"id": "counter-0"}, "events": [linked]})
    again = reevaluation.Reevaluation(collector.tracker)
    collector.clock.advance(9 * story.DAY)
    await refresh()
    await again.due(60, 5)
    await unmerge(collector, list(ids))
    collector.clock.advance(1_000)
    forgetter = Forgetter(store, collector.clock, collector.tracker, quiet_ms=0, pause=0)
    await refresh()
    await forgetter.finish(await forgetter.begin(await session(store, "visit-20"), "a complete one"))
    await forgetter.begin(await session(store, "visit-22"), "one that has only begun")
    reevaluation.BATCH = 5
    collector.tracker.triggers = Triggers(story.project(story.MORE_SEGMENTS))
    await refresh()
    await again.renew(60, 5)
    return list(ids)


async def session(store: Store, id: str) -> str:
    """The profile of a session."""
    found = await store.session("shop", id)
    assert found is not None
    assert found.profile is not None
    return found.profile


async def unmerge(collector: Collector, ids: list[str]) -> None:
    """Undo one link of the first profile that has several."""
    for id in ids:
        profile = await collector.store.profile(id)
        if profile is not None and len(profile.steps) > 1:
            await unmerge_served(collector.tracker, id, min(profile.steps))
            return
    raise AssertionError("no profile has links")


def keep(name: str, text: str | bytes) -> None:
    """Write a fixture, the same bytes for the same text."""
    data = text.encode() if isinstance(text, str) else text
    (HERE / name).write_bytes(gzip.compress(data, mtime=0))


async def keep_answers(store: Store, kind: str, ids: list[str], keys: list[str]) -> None:
    """Write the names that are asked about, and the answers."""
    names = {
        "profiles": ids,
        "keys": keys,
        "caches": [f"item:{item}" for item in ("tea", "coffee", "cocoa é", "nothing")],
        "flows": [flow.version for flow in story.project().flows],
    }
    kept = {"names": names, "answers": await answers(store, view, names)}
    keep(f"{kind}.answers.json.gz", json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True))


async def write_sqlite() -> None:
    """The file, and the answers."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.db"
        store = SqliteStore.open(path)
        ids = await play(store, store.ready)
        await store.close()
        keep("sqlite.db.gz", path.read_bytes())
        store = SqliteStore.open(path)
        import sqlite3

        connection = sqlite3.connect(path)
        keys = [key for (key,) in connection.execute("SELECT key FROM keys ORDER BY key")]
        connection.close()
        await keep_answers(store, "sqlite", ids, keys)
        await store.close()


async def write_elasticsearch(server: str) -> None:
    """Templates, indices and documents, as requests that make them; and the answers."""
    address = f"{server}?prefix={PREFIX}"
    await dropped(server, PREFIX)
    store = ElasticsearchStore.open(address)
    ids = await play(store, lambda: asked(server, "POST", f"/{PREFIX}-*/_refresh"))
    await store.close()
    for nth in range(1, BROKEN_OFF + 1):
        store = ElasticsearchStore.open(address)
        collector = Collector(story.project(), store, keys=story.KEYS)
        await collector.tracker.start()
        failing = Failing(store, nth, How.CRASH)
        collector.clock.advance(90 * story.DAY)
        event = {
            "type": "order-paid",
            "id": f"broken-off-{nth}",
            "properties": {"email": f"buyer{nth % 3 * 3}@example.com", "total": 1000, "item": "tea"},
        }
        body = {"source": {"id": "shop"}, "session": {"id": f"broken-off-{nth % 5}"}, "events": [event]}
        print(nth, await broken_off(failing, collector.track(body, debug=False)))  # noqa: T201
        await store.close()
    documents = await dump(server)
    store = ElasticsearchStore.open(address)
    await store.migrate()
    await store._sweeper.sweep(older_ms=0)
    await asked(server, "POST", f"/{PREFIX}-*/_refresh")
    profiles = [hit["_source"]["id"] for hit in documents if hit["_index"] == f"{PREFIX}-profiles"]
    keys = sorted(hit["_source"]["key"] for hit in documents if hit["_index"] == f"{PREFIX}-keys")
    await keep_answers(store, "elasticsearch", sorted({*ids, *profiles}), keys)
    await store.close()
    await dropped(server, PREFIX)


async def broken_off(failing: Failing, work: Coroutine[Any, Any, object]) -> str:
    """Do the work until the n-th write comes, be it after the answer; and end there all that was started."""
    others = asyncio.all_tasks()
    answered = asyncio.create_task(work)
    failed = asyncio.create_task(failing.failed.wait())
    await asyncio.wait([failed], timeout=5)
    told = f"failed: {failed.done()}, answered: {answered.done()}"
    started = asyncio.all_tasks() - others
    for task in started:
        task.cancel()
    await asyncio.gather(*started, return_exceptions=True)
    return told


async def dump(server: str) -> list[dict[str, Any]]:
    """Write a JSON line for each template, index and document; returns the documents."""
    await asked(server, "POST", f"/{PREFIX}-*/_refresh")
    lines: list[Any] = []
    for each in (await asked(server, "GET", f"/_index_template/{PREFIX}-*"))["index_templates"]:
        template = {name: value for name, value in each["index_template"].items() if not name.endswith("_date_millis")}
        lines.append({"template": each["name"], "body": template})
    for name in await indices_of(server, PREFIX):
        (index,) = (await asked(server, "GET", f"/{name}")).values()
        settings = index["settings"]["index"]
        for made in ("creation_date", "uuid", "version", "provided_name", "routing", "number_of_replicas"):
            settings.pop(made, None)
        body = {"aliases": index["aliases"], "mappings": index["mappings"], "settings": {"index": settings}}
        lines.append({"index": name, "body": body})
    found = await asked(server, "GET", f"/{PREFIX}-*/_search?size=10000&version=true&sort=_doc")
    hits = sorted(found["hits"]["hits"], key=lambda hit: (hit["_index"], hit["_id"]))
    lines += [{name.strip("_"): hit[name] for name in ("_index", "_id", "_version", "_source")} for hit in hits]
    keep("elasticsearch.jsonl.gz", "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    return hits


if __name__ == "__main__":
    asyncio.run(write_sqlite() if sys.argv[1] == "sqlite" else write_elasticsearch(sys.argv[2]))
