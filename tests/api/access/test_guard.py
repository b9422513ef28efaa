"""Which request reaches which route, by the credentials that it carries."""

import pytest

from tests.api.conftest import ADMIN_KEY, Serve
from tests.projects import project

FLOW = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
RIGHT = {"authorization": f"Bearer {ADMIN_KEY}"}
GUARDED = [
    ("GET", "/runs/x"),
    ("GET", "/profiles/x"),
    ("GET", "/profiles/x/export"),
    ("GET", "/profiles/x/events"),
    ("GET", "/profiles/x/sessions"),
    ("GET", "/profiles/x/segments/vip"),
    ("GET", "/events/x"),
    ("GET", "/events/x/runs"),
    ("GET", "/rejected"),
    ("GET", "/counts"),
    ("GET", "/segments"),
    ("GET", "/search/events"),
    ("GET", "/forgettings"),
    ("GET", "/forgettings/x"),
    ("POST", "/profiles/x/forget"),
    ("POST", "/profiles/x/unmerge"),
    ("GET", "/tasks"),
    ("GET", "/tasks/x"),
    ("POST", "/tasks/x/run"),
    ("POST", "/tasks/x/pause"),
    ("POST", "/tasks/x/resume"),
]
OPEN = {"/", "/tracker.js", "/health/live", "/health/ready", "/schema", "/schema/openapi.json"}
OF_SENDERS = {"tracking", "webhooks", "segment", "posthog", "rakam", "traintracks"}


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_a_stranger_gets_401_and_the_administrator_does_not(serve: Serve, method: str, path: str) -> None:
    client = await serve(project(FLOW), stranger=True)
    refused = await client.request(method, path, json={"link": "x"} if method == "POST" else None)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    allowed = await client.request(method, path, json={"link": "x"} if method == "POST" else None, headers=RIGHT)
    assert allowed.status_code in {200, 404}


async def test_every_address_of_the_api_page_is_guarded_or_known_to_be_open(serve: Serve) -> None:
    client = await serve(project(FLOW), stranger=True)
    paths = (await client.get("/schema/openapi.json")).json()["paths"]
    for path, method, operation in [(path, method, item[method]) for path, item in paths.items() for method in item]:
        if operation["security"] != [{"adminKey": []}]:
            assert path in OPEN or operation["tags"][0] in OF_SENDERS, (method, path)
            continue
        sent = path.replace("{", "").replace("}", "")
        answer = await client.request(method, sent, json={} if method == "post" else None)
        assert answer.status_code == 401, (method, path)


async def test_the_refusal_says_how_to_get_the_key_and_names_no_path(serve: Serve) -> None:
    detail = (await (await serve(project(FLOW), stranger=True)).get("/counts")).json()["detail"]
    assert "Authorization: Bearer KEY" in detail
    assert ".headrace" in detail
    assert "HEADRACE_ADMIN_KEY" in detail
    assert "/" not in detail


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {ADMIN_KEY}", 200),
        (f"bearer  {ADMIN_KEY} ", 200),
        (ADMIN_KEY, 401),
        (f"Basic {ADMIN_KEY}", 401),
        (f"Bearer {ADMIN_KEY[:-1]}", 401),
        (f"Bearer {ADMIN_KEY}x", 401),
        ("Bearer ", 401),
        ("Bearer schlüssel", 401),
    ],
)
async def test_the_key_is_compared_as_a_whole(serve: Serve, header: str, status: int) -> None:
    client = await serve(project(FLOW), stranger=True)
    assert (await client.get("/counts", headers={"authorization": header.encode()})).status_code == status


@pytest.mark.parametrize("proof", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:8686"])
async def test_loopback_is_no_proof(serve: Serve, proof: str) -> None:
    client = await serve(project(FLOW), stranger=True)
    assert (await client.get("/counts", headers={"host": proof})).status_code == 401


async def test_without_a_key_nobody_is_admitted(serve: Serve) -> None:
    client = await serve(project(FLOW), stranger=True, admin_key=None)
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer None"}):
        assert (await client.get("/counts", headers=headers)).status_code == 401
