"""Ids in addresses: every id that a payload may hold can be read again under its percent-encoded form."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import RequestFactory

from api.addressing import routed_path
from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import payload, project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
SHOP = Source(source="shop", identify="trust", debugger=True, profiles=True)
IDS = (
    "a/b",
    "/",
    "//",
    "a//b/",
    "a?b",
    "a#b",
    "50%",
    "a%2Fb",
    "%2F",
    "%",
    "a+b",
    "a b",
    "..",
    ".",
    "../b",
    "a:b",
    "a;b=c",
    "a&b=c",
    "\"a'",
    "größe",
    "名前",
    "🎉",
    "runs",
    "{id}",
    "[a]",
    "a\\b",
    "a|b^c`d~e<f>g,h@i!j$k(l)*m",
)


@pytest.mark.parametrize("id", IDS)
async def test_an_event_and_its_runs_are_found_under_every_id(serve: Serve, id: str) -> None:
    client = await serve(project(COUNT, sources=(SHOP,)))
    sent = await client.post("/track", json=payload({"type": "counted", "id": id}, options={"debugger": True}))
    assert sent.status_code == 200
    address = f"/events/{quote(id, safe='').replace('.', '%2E')}"
    assert (await client.get(address)).json()["id"] == id
    assert [run["event"]["id"] for run in (await client.get(f"{address}/runs")).json()] == [id]


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("rest", ["", "/events", "/sessions", "/export", "/segments/vip"])
async def test_a_profile_that_is_not_there_is_answered_with_its_id(serve: Serve, id: str, rest: str) -> None:
    client = await serve(project(COUNT, segments={"vip": None}))
    answer = await client.get(f"/profiles/{quote(id, safe='').replace('.', '%2E')}{rest}")
    assert answer.status_code == 404
    assert id in answer.json()["detail"]


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize(("action", "body"), [("forget", {}), ("unmerge", {"link": "86ee6e51"})])
async def test_an_action_on_a_profile_that_is_not_there_is_answered_with_its_id(
    serve: Serve, id: str, action: str, body: dict[str, str]
) -> None:
    client = await serve(project(COUNT))
    answer = await client.post(f"/profiles/{quote(id, safe='').replace('.', '%2E')}/{action}", json=body)
    assert answer.status_code == 404
    assert id in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/events/nowhere", "/events/nowhere/runs", "/runs/a%2Fb", "/forgettings/a%2Fb"])
async def test_what_is_not_there_answers_404(serve: Serve, path: str) -> None:
    assert (await (await serve(project(COUNT))).get(path)).status_code == 404


async def test_an_event_without_a_kept_run_has_an_empty_list_of_runs(serve: Serve) -> None:
    client = await serve(project(COUNT, sources=(SHOP,)))
    await client.post("/track", json=payload({"type": "other", "id": "e-1"}))
    answer = await client.get("/events/e-1/runs")
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("id", ["a/b", "a%2Fb", "größe?", "7"])
async def test_collect_takes_every_id_in_its_path(serve: Serve, id: str) -> None:
    source = Source(source=id, identify="trust", debugger=True)
    client = await serve(project(COUNT, sources=(source,)))
    encoded = quote(id, safe="")
    assert (await client.post(f"/collect/counted/{encoded}/{encoded}", json={})).status_code == 200
    (stored,) = (await client.get("/search/sessions")).json()["items"]
    assert (stored["source"], stored["id"]) == (id, id)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_two_spellings_of_a_path_are_one_and_two_paths_stay_two(parts: list[str]) -> None:
    strict = "/" + "/".join([quote(part, safe="") for part in parts])
    loose = "/" + "/".join([quote(part, safe=":@!$&'()*+,;=") for part in parts])
    paths = [routed_path(RequestFactory().get(path).scope) for path in (strict, loose)]
    assert paths == [strict, strict]
