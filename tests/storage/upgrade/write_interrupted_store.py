"""Writes the fixture of profiles with commits that broke off in the middle. It runs with the code of commit ca13a6d:

    git worktree add OLD ca13a6d
    PYTHONPATH=OLD python tests/storage/upgrade/write_interrupted_store.py http://127.0.0.1:PORT

It keeps the documents of an Elasticsearch server beside this script, after the events of thirty groups of visitors and
after some commits that broke off. Each group has an e-mail address of its own. The source `shop` only claims keys, the
source `till` proves them.
"""

# ruff: noqa: E402 - the order of imports matters

import asyncio
import gzip
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import tests

HERE = Path(__file__).parent
tests.__path__.append(str(HERE.parents[1]))

from engine.ports.store import Store
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.operations.unmerging import unmerge_served
from storage.elasticsearch.store import ElasticsearchStore
from tests import projects
from tests.engine.tracking.collector import Collector
from tests.storage.elasticsearch_requests import asked, dropped, indices_of
from tests.storage.failing_connection import FailingConnection, WriteFailure

FLOWS = (
    """
    flow: identify
    trigger: {event: identified}
    nodes:
      who:
        profile.merge:
          pii.email: "{{ event.properties.email }}"
          pii.phone: "{{ event.properties.phone }}"
          traits['card=no.']: "{{ event.properties.card }}"
        next: tags
      tags: {profile.add: {traits.tags: "{{ event.properties.tag }}"}, next: seen}
      seen: {profile.count: {visits: 1}}
    """,
    """
    flow: alias
    trigger: {event: device-linked}
    nodes:
      link: {profile.alias: "{{ event.properties.other }}"}
    """,
    """
    flow: page
    trigger: {event: page-view}
    nodes:
      page: {profile.set: {traits.page: "{{ event.properties.page }}"}, next: count}
      count: {profile.increment: {traits.pages: 1}, next: visit}
      visit: {session.set: {properties.page: "{{ event.properties.page }}"}}
    """,
)
KEYS = {"till": "a key of the till"}
GROUPS = 170
HOUR = 3_600_000  # ms

# What the visitors of a group do, by the number of the group: the source, the visitor, and the keys that it brings.
Act = tuple[str, int, tuple[str, ...]]
PLAYS: tuple[tuple[Act, ...], ...] = (
    (("shop", 0, ("email",)),),  # claimed by one
    (("shop", 0, ("email",)), ("shop", 1, ("email",)), ("shop", 2, ("phone",))),  # claimed by two
    (("till", 0, ("email",)), ("shop", 1, ("email",)), ("shop", 2, ("email",))),  # proven by one, claimed by others
    (("till", 0, ("email",)), ("till", 1, ("email",))),  # proven by two
    (("shop", 0, ("email",)), ("till", 1, ("email",))),  # claimed, then proven by another
    (("shop", 0, ("email",)), ("shop", 1, ("email",)), ("shop", 2, ("email",)), ("till", 0, ("card",))),
    (("shop", 0, ("email", "phone")), ("shop", 1, ("email",)), ("shop", 2, ("phone",)), ("till", 2, ("phone",))),
    (("till", 0, ("card",)), ("till", 1, ("card", "email")), ("shop", 2, ("email",)), ("shop", 3, ("phone",))),
    (("shop", 0, ("email",)), ("shop", 1, ("email",)), ("till", 2, ("alias",)), ("till", 2, ("card",))),
    (("shop", 0, ("email",)), ("shop", 1, ("alias",)), ("shop", 2, ("email",))),
)  # fmt: skip
UNDONE = 7  # every seventh group has a link undone
PREFIX = "upgrade"  # of the indices
FEW_GROUPS = 30  # on Elasticsearch
BROKEN_OFF = 18  # commits
FORGOTTEN = 25  # every twenty-fifth group has a profile that is forgotten


def project() -> Any:
    """The project that the events are sent to."""
    key = sha256(KEYS["till"].encode()).hexdigest()
    sources = (
        projects.Source(source="shop", identify="link", profiles=True),
        projects.Source(source="till", kind="secret", identify="trust", key=key, profiles=True),
    )
    return projects.project(*FLOWS, sources=sources)


def payloads(group: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The events of a group, each with its source and the visitor's number."""
    values = {"email": f"person{group}@example.com", "phone": f"+47 {group:08}", "card": f"c={group}"}
    for source, visitor, keys in PLAYS[group % len(PLAYS)]:
        id = f"{group}-{source}-{visitor}-{keys[0]}"
        yield source, visitor, {"type": "page-view", "id": f"first-{id}", "properties": {"page": f"/{group}"}}
        if keys == ("alias",):
            yield source, visitor, {"type": "device-linked", "properties": {"other": 0}}
        else:
            brought = {key: values[key] for key in keys} | {"tag": f"v{visitor}"}
            yield source, visitor, {"type": "identified", "id": id, "properties": brought}
    for visitor in (0, 1, 10, 11):
        yield "shop", visitor, {"type": "page-view", "properties": {"page": "/late"}}


async def play(store: Store, refresh: Callable[[], Awaitable[object]], groups: int = GROUPS) -> None:
    """Send all events, undo links and forget profiles. `refresh` makes a store find what was just committed."""
    collector = Collector(project(), store, keys=KEYS)
    for group in range(groups):
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


async def write_elasticsearch(server: str) -> None:
    """Keep templates, indices and documents, as requests that make them."""
    address = f"{server}?prefix={PREFIX}"
    store = ElasticsearchStore.open(address)
    await play(store, lambda: asked(server, "POST", f"/{PREFIX}-*/_refresh"), FEW_GROUPS)
    await store.close()
    for nth in range(1, BROKEN_OFF + 1):
        store = ElasticsearchStore.open(address)
        collector = Collector(project(), store, keys=KEYS)
        await collector.tracker.start()
        properties = {"email": f"person{nth}@example.com", "tag": "late"}  # of a group that has claimed or proven it
        event = {"type": "identified", "id": f"broken-off-{nth}", "properties": properties}
        body = {"source": {"id": "till"}, "session": {"id": f"broken-off-{nth}"}, "events": [event]}
        failing = FailingConnection(store, nth % 6 + 1, WriteFailure.CRASH)
        await failing.until(collector.track(body, debug=False))
        await store._connection.close()
    await _dump(server)
    await dropped(server, PREFIX)


async def _dump(server: str) -> None:
    """Keep a JSON line for each template, index and document."""
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
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    (HERE / "interrupted.elasticsearch.jsonl.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    asyncio.run(write_elasticsearch(sys.argv[1]))
