"""`GET /search/KIND`."""

from typing import Any

import pytest

from engine.ports.kinds import SEARCHABLE
from tests.api.conftest import Serve
from tests.projects import payload, project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""


async def filled(serve: Serve, **more: Any) -> Any:
    """A client of a collector that has taken three events of one profile, and rejected one."""
    client = await serve(project(COUNT), **more)
    profile = {}
    for n in range(3):
        events = [{"type": "counted", "id": f"e-{n}", "properties": {"n": n}}]
        response = await client.post("/track", json=payload(*events, options={"debugger": True}, **profile))
        profile = {"profile": {"id": response.json()["profile"]["id"]}}
    await client.post("/track", json=payload({"type": "counted"}, {"type": 5}))
    return client


@pytest.mark.parametrize(("kind", "q", "expected"), [
    pytest.param("events", "properties.n:>=1", ["e-2", "e-1"], id="events"),
    pytest.param("events", "id:e-0", ["e-0"], id="by id"),
    pytest.param("sessions", "id:s-1", ["s-1"], id="sessions"),
    pytest.param("events", "type:nothing", [], id="nothing"),
])  # fmt: skip
async def test_documents_are_found(serve: Serve, kind: str, q: str, expected: list[str]) -> None:
    client = await filled(serve)
    answer = await client.get(f"/search/{kind}", params={"q": q})
    assert answer.status_code == 200
    assert [one["id"] for one in answer.json()["items"]] == expected
    assert answer.json()["after"] is None


async def test_a_search_returns_the_view_of_a_profile(serve: Serve) -> None:
    client = await filled(serve)
    (ann,) = (await client.get("/search/profiles", params={"q": "traits.count:>=3"})).json()["items"]
    assert ann == (await client.get(f"/profiles/{ann['id']}")).json()


async def test_runs_and_rejected_events_are_answered_as_elsewhere(serve: Serve) -> None:
    client = await filled(serve)
    (run,) = (await client.get("/search/runs", params={"q": "event:e-1"})).json()["items"]
    assert run == (await client.get(f"/runs/{run['id']}")).json()
    rejected = (await client.get("/search/rejected")).json()["items"]
    assert rejected == (await client.get("/rejected")).json() != []


async def test_pages_follow_one_another(serve: Serve) -> None:
    client = await filled(serve)
    found, after, pages = [], "", 0
    while after is not None:
        page = (await client.get("/search/events", params={"q": "properties.n:*", "limit": 2, "after": after})).json()
        found += [one["id"] for one in page["items"]]
        after, pages = page["after"], pages + 1
    assert (found, pages) == (["e-2", "e-1", "e-0"], 2)


@pytest.mark.parametrize(("path", "params", "status", "message"), [
    pytest.param("events", {"q": "typ:x"}, 400, "did you mean `type`?", id="an unknown field"),
    pytest.param("events", {"q": "a AND"}, 400, "`q` at 6: something is missing", id="a text that ends too early"),
    pytest.param("events", {"limit": 0}, 400, "between 1 and 1000", id="no documents"),
    pytest.param("events", {"limit": 1001}, 400, "between 1 and 1000", id="too many documents"),
    pytest.param("events", {"limit": "many"}, 400, "", id="a limit that is no number"),
    pytest.param("events", {"after": "nonsense"}, 400, "start again", id="a bad cursor"),
    pytest.param("event", {}, 404, "did you mean `events`?", id="an unknown kind"),
])  # fmt: skip
async def test_an_invalid_search_is_refused(
    serve: Serve, path: str, params: dict[str, Any], status: int, message: str
) -> None:
    answer = await (await serve(project(COUNT))).get(f"/search/{path}", params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert message in answer.json()["detail"]


async def test_a_refusal_points_at_the_error_in_the_query(serve: Serve) -> None:
    answer = await (await serve(project(COUNT))).get("/search/events", params={"q": "source:web type:>5"})
    (error,) = answer.json()["errors"]
    assert (error["code"], error["offset"], error["length"]) == ("query.range", 16, 1)


async def test_searching_is_in_the_openapi_document(serve: Serve) -> None:
    schema = (await (await serve(project(COUNT))).get("/schema/openapi.json")).json()
    for kind in SEARCHABLE:
        operation = schema["paths"][f"/search/{kind}"]["get"]
        assert [one["name"] for one in operation["parameters"]] == ["q", "limit", "after"]
        assert all(one["description"] for one in operation["parameters"])
