"""Records with values that earlier versions took break no list, no search and no export."""

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest
from litestar.testing import AsyncTestClient

from api.app import create_app
from effects.scripted import ScriptedPerformer
from engine.ports.records import Rejected, RunRecord, Session, SessionWrite, StoredEvent, Unit
from engine.ports.store import Store
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.api.conftest import ADMIN_KEY
from tests.projects import project
from tests.storage.build import write
from tests.storage.search_contract import ODD_EVENTS

NOW = 1_715_000_000_000
ODD: Any = {"properties": [1, {"a": 2}], "context": "phone"}
NO_FLOW: Any = None
EVENTS = (*ODD_EVENTS, StoredEvent(id="lists", type="t", source="web", received=NOW, session="s", profile="ann", **ODD))
DEEP = msgspec.Raw(b"[" * 5000 + b"]" * 5000)
RUNS = tuple(
    RunRecord(id=f"r{n}", event="odd0", flow=flow, version="9f", outcome="failed", at=NOW, source="web", profile="ann",
              trace=trace)
    for n, (flow, trace) in enumerate([(NO_FLOW, msgspec.Raw(b"5")), ("greet", msgspec.Raw(b"1e999"))])
)  # fmt: skip
REJECTED = tuple(
    Rejected(id=f"x{n}", source="web", at=NOW, reason=reason, body=body, profile="ann")
    for n, (reason, body) in enumerate(
        [(NO_FLOW, msgspec.Raw(b"[1e999]")), ("deep", DEEP), ("half", msgspec.Raw(b'"\\ud83d"'))]
    )
)


@pytest.fixture(params=["memory", "SQLite"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """A client of a server whose store has such records."""
    store: Store = MemoryStore() if request.param == "memory" else SqliteStore.open(tmp_path / "headrace.db")
    session = Session(source="web", id="s", created=NOW, profile="ann", version=1, **ODD)
    await store.commit(Unit(profiles=(write("ann"),), sessions=(SessionWrite(session, 0),), events=EVENTS))
    await store.commit(Unit(runs=RUNS, rejected=REJECTED))
    app = create_app(project(), store, performer=ScriptedPerformer(), admin_key=ADMIN_KEY)
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        yield client


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/search/events", {one.id for one in EVENTS}),
        ("/search/events?q=time:true", {"odd0"}),
        ("/search/events?q=properties:2 context:phone", {"lists"}),
        ("/search/runs", {"r0", "r1"}),
        ("/search/rejected", {"x0", "x1", "x2"}),
        ("/search/rejected?q=reason:deep", {"x1"}),
        ("/search/sessions", {"s"}),
        ("/profiles/ann/events", {one.id for one in EVENTS}),
        ("/profiles/ann/sessions", {"s"}),
        ("/rejected", {"x0", "x1", "x2"}),
        ("/events/odd0/runs", {"r0", "r1"}),
    ],
)
async def test_every_list_has_them(client: Any, path: str, ids: set[str]) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    items = answer.json()
    assert {one["id"] for one in (items if isinstance(items, list) else items["items"])} == ids


@pytest.mark.parametrize("event", ODD_EVENTS, ids=lambda event: repr(event.time)[:40])
async def test_each_is_shown_with_its_values(client: Any, event: StoredEvent) -> None:
    answer = await client.get(f"/events/{event.id}")
    assert (answer.status_code, answer.json().get("time")) == (200, event.time)


async def test_an_export_has_them(client: Any) -> None:
    answer = await client.get("/profiles/ann/export")
    assert answer.status_code == 200
    with ZipFile(BytesIO(answer.content)) as archive:
        for name, records in (("events", EVENTS), ("runs", RUNS), ("rejected", REJECTED)):
            lines = archive.read(f"{name}.jsonl").splitlines()
            assert {msgspec.json.decode(line)["id"] for line in lines} == {one.id for one in records}
