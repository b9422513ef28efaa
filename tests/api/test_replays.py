"""Replaying over HTTP: the difference, and applying once."""

from typing import Any

from engine.flow.ask import HttpReply
from engine.project.source import Target
from tests.api.conftest import Serve
from tests.projects import project

LOOKUP = """
flow: tier
trigger: {event: ordered}
nodes:
  crm: {lookup.http: {target: crm, path: /tier}, next: {found: tier, missing: tier}}
  tier: {profile.increment: {traits.done: 1}}
"""
PROJECT = project(LOOKUP, targets={"crm": Target(url="https://crm.example")})
EVENT = {"source": {"id": "shop"}, "session": {"id": "s1"}, "events": [{"type": "ordered", "id": "o-1"}]}


async def failed_run(client: Any) -> str:
    await client.post("/track", json=EVENT)
    (run,) = (await client.get("/search/runs", params={"q": "outcome:failed"})).json()["items"]
    assert run["recorded"]
    return str(run["id"])


async def test_a_dry_replay_returns_what_differs_and_a_run_that_is_not_there(serve: Serve) -> None:
    client = await serve(PROJECT)
    run = await failed_run(client)
    answer = await client.post("/replays", json={"runs": [run, "none"]})
    assert answer.status_code == 200
    report = answer.json()
    assert (report["replayed"], report["differing"]) == (1, [])
    assert report["table"] == [{"then": "failed", "now": "failed", "count": 1, "differing": 0}]
    assert report["refused"] == [{"run": "none", "code": "gone", "reason": "there is no run none"}]
    found = (await client.post("/replays", json={"where": "flow:tier outcome:failed"})).json()
    assert found["table"] == report["table"]


async def test_a_failed_run_is_applied_once_and_says_what_it_became(serve: Serve) -> None:
    client = await serve(PROJECT)
    run = await failed_run(client)
    client.app.state.tracker.pipeline.driver.performer.on("crm", "/tier", HttpReply(200, {}))
    first = (await client.post("/replays/apply", json={"runs": [run]})).json()
    ((applied,), refused) = first["applied"], first["refused"]
    assert (applied["run"], applied["outcome"], refused) == (run, "finished", [])
    made = (await client.get(f"/runs/{applied['new_run']}")).json()
    assert (made["replay_of"], made["outcome"], made["kept"]) == (run, "finished", "sampled")
    second = (await client.post("/replays/apply", json={"runs": [run]})).json()
    assert [each["code"] for each in second["refused"]] == ["applied"]
    (entry, *_) = (await client.get("/search/audit")).json()["items"]
    assert (entry["action"], entry["subjects"]) == ("replay runs", [f"run/{run}"])


async def test_a_request_that_names_nothing_is_refused_with_the_remedy(serve: Serve) -> None:
    client = await serve(PROJECT)
    answer = await client.post("/replays", json={})
    assert (answer.status_code, "`where`" in answer.json()["detail"]) == (400, True)
    answer = await client.post("/replays", json={"where": "flow:"})
    assert answer.status_code == 400
