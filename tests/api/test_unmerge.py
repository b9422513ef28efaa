"""Profiles over HTTP: the causes of their links, their events and sessions, and undoing a link."""

from typing import Any

import pytest

from tests.api.conftest import Serve
from tests.projects import payload, project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
JSON = {"content-type": "application/json"}


async def merged(serve: Serve, **more: Any) -> tuple[Any, dict[str, Any]]:
    """A client of a server where two sessions are one profile; and the profile with its why."""
    client = await serve(project(LOGIN), **more)
    for session in ("phone", "laptop"):
        event = {"type": "login", "properties": {"email": "ann@example.com"}}
        answer = await client.post("/track", json=payload(event, session=session))
    found = await client.get(f"/profiles/{answer.json()['profile']['id']}?why=true")
    return client, found.json()


def joining(profile: dict[str, Any]) -> dict[str, Any]:
    """The link by which the second id was joined with the first."""
    (link,) = [link for link in profile["why"]["links"] if "held" in link]
    found: dict[str, Any] = link
    return found


async def test_why_lists_parts_and_links(serve: Serve) -> None:
    _, profile = await merged(serve)
    links = profile["why"]["links"]
    assert [(link["type"], link["flow"], link["node"]) for link in links] == [("login", "login", "who")] * 2
    assert [(link["by"], link["state"], link["key"]) for link in links] == [("proof", "holds", "pii.email")] * 2
    assert {link["left"] for link in links} == {part["id"] for part in profile["why"]["parts"]} == set(profile["ids"])
    assert {link["right"] for link in links} == {links[0]["right"]}
    assert "ann@example.com" not in str(profile["why"])


async def test_the_links_are_left_out_unless_requested(serve: Serve) -> None:
    client, profile = await merged(serve)
    assert (await client.get(f"/profiles/{profile['id']}")).json() == {k: v for k, v in profile.items() if k != "why"}


async def test_events_and_sessions_are_found_under_every_id(serve: Serve) -> None:
    client, profile = await merged(serve)
    for id in profile["ids"]:
        events = (await client.get(f"/profiles/{id}/events")).json()
        assert [event["session"] for event in events] == ["laptop", "phone"]
        sessions = (await client.get(f"/profiles/{id}/sessions")).json()
        assert [session["id"] for session in sessions] == ["laptop", "phone"]


async def test_a_link_is_undone(serve: Serve) -> None:
    client, profile = await merged(serve)
    link = joining(profile)
    response = await client.post(f"/profiles/{profile['ids'][1]}/unmerge", json={"link": link["link"][:10]})
    assert response.status_code == 200
    assert {side["id"] for side in response.json()["profiles"]} == set(profile["ids"])
    assert "undone" in response.json()["link"]
    for id in profile["ids"]:
        side = (await client.get(f"/profiles/{id}?why=true")).json()
        assert side["ids"] == [id]
        assert [(one["left"], one["state"]) for one in side["why"]["links"]] == [
            (id, "undone" if id == link["left"] else "holds")
        ]
        assert len((await client.get(f"/profiles/{id}/events")).json()) == 1
    again = await client.post(f"/profiles/{link['left']}/unmerge", json={"link": link["link"]})
    assert (again.status_code, again.json()["still_joined_by"]) == (200, [])


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        pytest.param({}, b'{"link": "x"}', 415, id="not JSON by its type"),
        pytest.param({"content-type": "text/plain"}, b'{"link": "x"}', 415, id="text, as a page can send it"),
        pytest.param({**JSON, "origin": "https://elsewhere.example"}, b'{"link": "x"}', 403, id="another origin"),
        pytest.param({**JSON, "origin": "null"}, b'{"link": "x"}', 403, id="an opaque origin"),
        pytest.param(
            {**JSON, "origin": "http://127.0.0.1", "host": "elsewhere.example"}, b"{}", 403, id="another host"
        ),
        pytest.param(JSON, b'{"stpe": "x"}', 400, id="a body of another shape"),
        pytest.param(JSON, b"{", 400, id="no JSON"),
        pytest.param(JSON, b'{"link": "nowhere"}', 404, id="no such link"),
        pytest.param({**JSON, "origin": "http://127.0.0.1"}, b'{"link": "nowhere"}', 404, id="a page of its own"),
    ],
)
async def test_an_invalid_request_undoes_no_link(
    serve: Serve, headers: dict[str, str], content: bytes, status: int
) -> None:
    client, profile = await merged(serve)
    answer = await client.post(f"/profiles/{profile['id']}/unmerge", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert len((await client.get(f"/profiles/{profile['id']}")).json()["ids"]) == 2
