"""Forgetting and exporting a profile, over HTTP."""

import io
import json
import zipfile
from typing import Any

import pytest

from effects.clock import ManualClock
from tests.api.conftest import Serve
from tests.api.test_unmerge import joining, merged


async def complete(client: Any, begun: dict[str, Any], clock: ManualClock) -> dict[str, Any]:
    """Wait for a forgetting and return its answer."""
    while True:
        clock.advance(100_000)
        now: dict[str, Any] = (await client.get(f"/forgettings/{begun['forgetting']}")).json()
        if now["status"] == "complete":
            return now


async def test_a_profile_is_forgotten_beside_the_requests(serve: Serve) -> None:
    clock = ManualClock()
    client, profile = await merged(serve, clock=clock)
    answer = await client.post(f"/profiles/{profile['ids'][1]}/forget", json={})
    assert answer.status_code == 202
    begun = answer.json()
    assert (begun["status"], begun["complete"], set(begun["erased"].values())) == ("erasing", None, {0})
    done = await complete(client, begun, clock)
    assert (done["erased"]["profiles"], done["erased"]["events"], done["erased"]["keys"]) == (2, 2, 1)
    assert not [id for id in profile["ids"] if id in str(done)]
    assert (await client.get("/forgettings")).json() == [done]
    for id in profile["ids"]:
        assert (await client.get(f"/profiles/{id}")).status_code == 404
        assert (await client.post(f"/profiles/{id}/forget", json={})).status_code == 404


async def test_a_late_payload_is_answered_410_with_a_remedy(serve: Serve) -> None:
    client, profile = await merged(serve)
    await client.post(f"/profiles/{profile['id']}/forget", json={})
    body = {"source": {"id": "shop"}, "session": {"id": "phone"}, "events": [{"type": "login"}]}
    late = await client.post("/track", json=body)
    while late.status_code == 200:  # it was taken before the profile was erased, and is erased with it
        late = await client.post("/track", json=body)
    assert late.status_code == 410
    assert late.headers["content-type"] == "application/problem+json"
    assert "drop these ids" in late.json()["detail"]
    rejected = await client.post("/track", json={**body, "events": [{"type": 7}]})
    assert rejected.status_code == 410
    assert (await client.get("/rejected")).json() == []


async def test_an_unknown_forgetting_is_answered_404(serve: Serve) -> None:
    client, _ = await merged(serve)
    assert (await client.get("/forgettings/nope")).status_code == 404
    assert (await client.get("/forgettings")).json() == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"content-type": "text/plain"}, 415, id="as a page can send it"),
        pytest.param({"content-type": "application/json", "origin": "https://elsewhere.example"}, 403, id="elsewhere"),
    ],
)
async def test_a_page_cannot_start_a_forgetting(serve: Serve, headers: dict[str, str], status: int) -> None:
    client, profile = await merged(serve)
    response = await client.post(f"/profiles/{profile['id']}/forget", content=b"{}", headers=headers)
    assert response.status_code == status
    assert (await client.get(f"/profiles/{profile['id']}")).status_code == 200


async def test_an_archive_contains_all_documents_of_a_profile(serve: Serve) -> None:
    client, profile = await merged(serve)
    await client.post(
        "/track", json={"source": {"id": "shop"}, "session": {"id": "phone"}, "events": [{"type": 7, "x": "odd"}]}
    )
    answer = await client.get(f"/profiles/{profile['ids'][1]}/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    files = unpacked(answer.content)
    assert json.loads(files["profile.json"]) == profile
    assert sorted(one["session"] for one in lines(files["events.jsonl"])) == ["laptop", "phone"]
    assert sorted(one["id"] for one in lines(files["sessions.jsonl"])) == ["laptop", "phone"]
    assert [one["body"]["x"] for one in lines(files["rejected.jsonl"])] == ["odd"]
    documents = json.loads(files["about.json"])["documents"]
    assert (documents["profile.json"], documents["events.jsonl"], documents["sessions.jsonl"]) == (1, 2, 2)


async def test_an_archive_does_not_name_the_profile_that_was_split_off(serve: Serve) -> None:
    client, profile = await merged(serve)
    link = joining(profile)
    await client.post(f"/profiles/{profile['id']}/unmerge", json={"link": link["link"]})
    for own, other in (profile["ids"], profile["ids"][::-1]):
        files = unpacked((await client.get(f"/profiles/{own}/export")).content)
        assert other not in b"".join(files.values()).decode()
        (kept,) = json.loads(files["profile.json"])["why"]["links"]
        assert (kept["left"], kept["right"]) == (own, link["right"])
        if "held" in kept:
            assert kept["held"] == {"left": {"ids": [own]}, "right": {"ids": ["another profile"]}}


async def test_an_unknown_id_has_no_archive(serve: Serve) -> None:
    client, _ = await merged(serve)
    assert (await client.get("/profiles/nope/export")).status_code == 404


def unpacked(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
