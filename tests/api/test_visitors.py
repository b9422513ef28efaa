"""Visitors and users in the payloads of `/track` and `/consent`."""

import pytest

from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import USERS, payload, project

PAGES = Source(source="shop", profiles=True)
ADS = {"ads": True}


async def test_a_visitor_needs_no_session_and_is_recognised_by_its_id(serve: Serve) -> None:
    client = await serve(project(sources=(PAGES,)))
    ids = [
        (await client.post("/track", json=payload("page-view", session=None, visitor={"id": visitor}))).json()[
            "profile"
        ]
        for visitor in ("v-1", "v-1", "v-2")
    ]
    assert ids[0] == ids[1] != ids[2]


async def test_a_consent_may_come_from_a_visitor_without_a_session(serve: Serve) -> None:
    client = await serve(project(sources=(PAGES,)))
    visitor = {"id": "v-1"}
    given = await client.post("/consent", json={"source": {"id": "shop"}, "visitor": visitor, "consents": ADS})
    seen = await client.post(
        "/track", json=payload("page-view", session=None, visitor=visitor, options={"profile": True})
    )
    assert seen.json()["profile"]["id"] == given.json()["profile"]["id"]
    assert list(seen.json()["profile"]["consents"]) == ["ads"]


@pytest.mark.parametrize("path", ["/track", "/consent"])
async def test_a_user_of_a_project_without_user_ids_is_refused(serve: Serve, path: str) -> None:
    client = await serve(project(sources=(PAGES,)))
    more = {"visitor": {"id": "v-1"}, "user": {"id": "c-1"}}
    body = payload("page-view") if path == "/track" else {"source": {"id": "shop"}, "consents": ADS}
    answer = await client.post(path, json={**body, **more})
    assert (answer.status_code, answer.json()["at"]) == (400, "/user")
    assert "declare `identity: {user: …}` in headrace.yaml" in answer.json()["detail"]


async def test_a_user_of_a_project_with_user_ids_is_taken(serve: Serve) -> None:
    client = await serve(project(sources=(PAGES,), settings=USERS))
    answer = await client.post("/track", json=payload("page-view", visitor={"id": "v-1"}, user={"id": "c-1"}))
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["visitor", "user"])
async def test_a_payload_without_a_profile_has_no_visitor_and_no_user(serve: Serve, name: str) -> None:
    client = await serve(project(settings=USERS))
    answer = await client.post("/track?profile_less=true", json={**payload("page-view"), name: {"id": "x-1"}})
    assert (answer.status_code, answer.json()["at"]) == (400, f"/{name}")


async def test_the_api_page_describes_visitors_and_users(serve: Serve) -> None:
    client = await serve(project())
    schemas = (await client.get("/schema/openapi.json")).json()["components"]["schemas"]
    for name in ("TrackPayload", "ConsentBody"):
        assert {"visitor", "user"} <= set(schemas[name]["properties"])
