"""Imports through a server: a small file as a whole, a large one in parts."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from api.app import create_app
from effects.scripted import ScriptedPerformer
from engine.profile.key import KeyRules
from engine.project.project import Project, Settings
from engine.project.source import Source
from storage.memory import MemoryStore

ADMIN = {"Authorization": "Bearer the-key-of-the-tests"}
SOURCES = {
    "history": Source(source="history", accepts=("import",), identify="trust"),
    "web": Source(source="web"),
}
CSV = b"type,id,user,total\norder,o1,u1,9.5\norder,o2,u2\norder,o3,u1,7\n"
DIGEST = hashlib.sha256(CSV).hexdigest()
Client = AsyncTestClient[Litestar]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    project = Project(settings=Settings(keys=KeyRules(user=("traits", "user_id"))), sources=SOURCES)
    app = create_app(project, MemoryStore(), performer=ScriptedPerformer(), admin_key="the-key-of-the-tests")
    async with AsyncTestClient(app=app) as client:
        yield client


async def whole(client: Client, body: bytes = CSV, **query: Any) -> Any:
    return await client.post(
        "/import", params={"source": "history", "file": "o.csv", **query}, content=body, headers=ADMIN
    )


async def test_a_small_file_is_imported_as_a_whole(client: Client) -> None:
    answer = await whole(client)
    assert answer.status_code == 200
    summary = answer.json()
    assert (summary["rows"], summary["stored"], summary["refused"]) == (3, 2, 1)
    assert summary["refused_rows"] == [{"number": 2, "line": 3, "reason": "the row has 3 cells, and the header 4"}]
    events = (await client.get("/search/events", headers=ADMIN)).json()["items"]
    assert sorted(event["id"] for event in events) == ["o1", "o3"]
    again = await whole(client)
    assert again.status_code == 409
    assert "o.csv was imported on 20" in again.json()["detail"]
    assert (await whole(client, again=True)).json()["stored"] == 2
    assert len((await client.get("/search/events", headers=ADMIN)).json()["items"]) == 2


@pytest.mark.parametrize(
    ("query", "body", "status", "detail"),
    [
        ({"source": "none"}, CSV, 404, "there is no source `none`"),
        ({"source": "web"}, CSV, 403, "the source `web` accepts no imports"),
        ({"mapping": "none"}, CSV, 404, "there is no mapping `none`"),
        ({}, b"a,a\n", 400, "two columns are called `a`"),
        ({"file": "x.json"}, b'[{"type":"x"}, 7]', 400, "behind row 1: row 2 is no object"),
        ({}, b"type\n" + b"\n".join([b"x" * 201] * 30), 400, "all of the first 30 rows were refused"),
    ],
)
async def test_what_cannot_be_imported_is_refused_with_the_reason(
    client: Client, query: Any, body: bytes, status: int, detail: str
) -> None:
    answer = await whole(client, body, **query)
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text


async def test_nobody_imports_without_the_key_and_no_page_does(client: Client) -> None:
    for headers, status in (({}, 401), ({"Authorization": "Bearer x"}, 401), ({**ADMIN, "Origin": "https://a"}, 403)):
        answer = await client.post("/import", params={"source": "history"}, content=CSV, headers=headers)
        assert answer.status_code == status


def part(*numbers: int, **more: Any) -> dict[str, Any]:
    rows = [{"number": n, "line": n + 1, "value": {"type": "order", "user": "u1", "n": n}} for n in numbers]
    return {"source": "history", "file": "o.csv", "rows": rows, **more}


async def post(client: Client, what: str, body: Any) -> Any:
    return await client.post(f"/import/{DIGEST}/{what}", json=body, headers=ADMIN)


async def test_parts_follow_one_another(client: Client) -> None:
    by = (await post(client, "begin", part())).json()["by"]
    first = (await post(client, "rows", part(1, 2, by=by))).json()
    assert (first["rows"], first["stored"], first["finished"]) == (2, 2, None)
    skipped = await post(client, "rows", part(4, by=by))
    assert (skipped.status_code, "2 rows are done" in skipped.json()["detail"]) == (409, True)
    bad = {"number": 3, "line": 4, "raw": "x", "reason": "a quote is not closed"}
    last = (await post(client, "rows", {**part(by=by, last=True), "rows": [bad]})).json()
    assert (last["rows"], last["stored"], last["refused"]) == (3, 2, 1)
    assert last["finished"] is not None
    (record,) = (await client.get(f"/import/{DIGEST}", headers=ADMIN)).json()
    assert record["rows"] == 3
    assert (await post(client, "begin", part())).status_code == 409


async def test_an_import_that_is_begun_again_goes_on_and_stops_the_one_before(client: Client) -> None:
    first = (await post(client, "begin", part())).json()["by"]
    await post(client, "rows", part(1, by=first))
    second = (await post(client, "begin", part())).json()
    assert second["rows"] == 1
    assert (await post(client, "rows", part(2, by=first))).status_code == 409
    assert (await post(client, "rows", part(2, by=second["by"]))).json()["rows"] == 2


@pytest.mark.parametrize("body", [[], {"source": 1}, {**part(), "extra": 1}, {**part(), "rows": [{"number": "x"}]}])
async def test_a_malformed_part_is_a_400(client: Client, body: Any) -> None:
    assert (await post(client, "rows", body)).status_code == 400
    assert (await client.get("/import/xyz", headers=ADMIN)).status_code == 400


@pytest.mark.parametrize(
    ("text", "status"),
    [("import: x\nevent: {type: paid, user: '{{ row.user }}'}\n", 200), ("import: x\n", 400), ("a: [", 400), ("", 400)],
)
async def test_a_part_may_bring_its_mapping(client: Client, text: str, status: int) -> None:
    begun = await post(client, "begin", part(mapping_text=text))
    assert begun.status_code == status
    if status == 200:
        await post(client, "rows", part(1, mapping_text=text, by=begun.json()["by"]))
        (event,) = (await client.get("/search/events", headers=ADMIN)).json()["items"]
        assert event["type"] == "paid"
