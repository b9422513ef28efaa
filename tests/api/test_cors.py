"""Which pages may send and read answers, and from which browsers deliver beacons."""

import pytest

from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import payload, project

FLOW = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
OWN, SUBDOMAIN, EVIL = "https://shop.example", "https://m.club.example", "https://evil.example"
WEB = Source(source="shop", origins=(OWN, "https://*.club.example", "null"))
OPEN = Source(source="open", origins=("*",))
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
ADDRESSES = ["/track", "/consent", "/collect/counted/shop/s-1"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("origin", [OWN, SUBDOMAIN])
async def test_a_listed_page_may_send_json_by_a_beacon_and_read_the_answer(
    serve: Serve, origin: str, address: str
) -> None:
    client = await serve(project(FLOW, sources=(WEB, OPEN)))
    preflight = await client.options(address, headers={"origin": origin, **PREFLIGHT})
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
    sent = payload("counted") | ({"consents": {"news": True}} if address == "/consent" else {})
    answer = await client.post(address, json=sent, headers={"origin": origin})
    assert answer.status_code == 200, answer.text
    for headers in (preflight.headers, answer.headers):
        assert headers["access-control-allow-origin"] == origin
        assert headers["access-control-allow-credentials"] == "true"
        assert headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("sources", "origin"),
    [
        pytest.param((OPEN,), EVIL, id="a source that is open to any page"),
        pytest.param((WEB, OPEN), EVIL, id="beside one that is not"),
        pytest.param((WEB,), "null", id="a page without an origin"),
        pytest.param((OPEN,), "null", id="a page without an origin, of a source that is open"),
        pytest.param(
            (OPEN, Source(source="off", origins=(OWN,), enabled=False)), OWN, id="listed by a disabled source"
        ),
    ],
)
async def test_a_page_that_is_not_listed_has_no_credentials(
    serve: Serve, sources: tuple[Source, ...], origin: str
) -> None:
    client = await serve(project(FLOW, sources=sources))
    preflight = await client.options("/track", headers={"origin": origin, **PREFLIGHT})
    name = next(one.source for one in sources if origin in one.origins or "*" in one.origins)
    answer = await client.post("/track", json=payload("counted", source={"id": name}), headers={"origin": origin})
    assert (preflight.status_code, answer.status_code) == (204, 200), answer.text
    for headers in (preflight.headers, answer.headers):
        assert headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in headers
        assert headers["vary"] == "Origin"


async def test_the_answer_of_an_open_source_has_no_credentials_for_a_page_that_another_source_lists(
    serve: Serve,
) -> None:
    client = await serve(project(FLOW, sources=(WEB, OPEN)))
    answer = await client.post("/track", json=payload("counted", source={"id": "open"}), headers={"origin": OWN})
    assert answer.headers["access-control-allow-origin"] == OWN
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [EVIL, "https://club.example", "https://m.club.example.evil", "http://m.club.example"]
)
async def test_pages_of_other_origins_may_neither_send_nor_read(serve: Serve, origin: str) -> None:
    client = await serve(project(FLOW, sources=(WEB,)))
    preflight = await client.options("/track", headers={"origin": origin, **PREFLIGHT})
    answer = await client.post("/track", json=payload("counted"), headers={"origin": origin})
    assert answer.status_code == 403
    for headers in (preflight.headers, answer.headers):
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["vary"] == "Origin"
    assert (await client.get("/counts")).json()["stored"]["events"] == 0


@pytest.mark.parametrize("media_type", ["text/plain;charset=UTF-8", "text/plain", ""])
async def test_a_beacon_of_text_needs_no_preflight(serve: Serve, media_type: str) -> None:
    client = await serve(project(FLOW, sources=(WEB, OPEN)))
    headers = {"origin": OWN, "cookie": "a=b", "content-type": media_type}
    answer = await client.post("/track", json=payload("counted"), headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-credentials"]) == (200, "true")
