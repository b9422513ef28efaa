"""Full tracing over HTTP: it keeps the runs that it means, in all processes of a store, and no others."""

from typing import Any

import pytest

from tests.api.conftest import Serve
from tests.projects import project

FLOWS = [
    f"flow: {name}\nkeep: 0\ntrigger: {{event: counted}}\nnodes:\n  add: {{profile.increment: {{traits.{name}: 1}}}}\n"
    for name in ("count", "other")
]


def counted(session: str = "s") -> dict[str, Any]:
    return {"source": {"id": "shop"}, "session": {"id": session}, "events": [{"type": "counted"}]}


async def kept(client: Any) -> list[tuple[str, str]]:
    """The flow of each stored run, with why it is kept; the earliest first."""
    found = (await client.get("/search/runs")).json()["items"]
    return [(run["flow"], run["kept"]) for run in reversed(found)]


async def test_runs_are_kept_while_a_switch_means_them(serve: Serve) -> None:
    client = await serve(project(*FLOWS))
    await client.post("/track", json=counted())
    switch = (await client.post("/tracing", json={"flow": "count", "minutes": 5})).json()
    await client.post("/track", json=counted())
    assert await kept(client) == [("count", "debugged")]
    assert [each["id"] for each in (await client.get("/tracing")).json()] == [switch["id"]]
    assert (switch["flow"], switch["by"]) == ("count", "admin")
    assert (await client.delete(f"/tracing/{switch['id']}")).status_code == 200
    await client.post("/track", json=counted())
    assert len(await kept(client)) == 1
    assert (await client.delete(f"/tracing/{switch['id']}")).status_code == 404


@pytest.mark.parametrize("what", ["profile", "session"])
async def test_runs_of_one_person_are_kept_and_not_those_of_others(serve: Serve, what: str) -> None:
    client = await serve(project(*FLOWS))
    named = {"session": "mine", "profile": (await client.post("/track", json=counted("mine"))).json()["profile"]["id"]}
    await client.post("/tracing", json={what: named[what]})
    for session in ("mine", "theirs"):
        await client.post("/track", json=counted(session))
    assert sorted(await kept(client)) == [("count", "debugged"), ("other", "debugged")]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "name a flow, a profile, a session or a type of events"),
        ({"flow": "coun"}, "`count`"),
        ({"flow": "count", "minutes": 61}, "minutes"),
        ({"flow": "count", "minutes": 0}, "minutes"),
        ({"colour": "red"}, "colour"),
    ],
    ids=str,
)
async def test_a_wrong_switch_is_refused_with_the_remedy(serve: Serve, body: Any, detail: str) -> None:
    client = await serve(project(*FLOWS))
    answer = await client.post("/tracing", json=body)
    assert (answer.status_code, detail in answer.json()["detail"]) == (400, True), answer.text
