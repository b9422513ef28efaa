"""Tasks and scheduled flows over HTTP: their list, state and log; firing, pausing and resuming one."""

from typing import Any

import pytest
from msgspec import structs

from effects.clock import ManualClock
from engine.flow.schedule import Schedule
from engine.ports.script import NO_SCRIPTS, Scripting, no_way_out
from engine.project.project import Project
from engine.project.script import Script
from engine.project.script_task import ScriptTask
from tests.api.conftest import Serve
from tests.engine.tracking.schedules.process import COUNTING
from tests.engine.tracking.schedules.python_scripts import PythonScripts
from tests.projects import payload, project

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
JSON = {"content-type": "application/json"}
FAILING = """
    flow: failing
    trigger: {schedule: "0 6 * * *", timezone: Europe/Berlin}
    nodes: {end: {fail: "the price list is empty"}}
"""


async def served(serve: Serve) -> Any:
    """A client of a server with two scheduled flows, which does not look for what is due by itself."""
    return await serve(project(COUNTING, FAILING), clock=ManualClock(NOW), keeps_up=False)


async def test_scheduled_flows_are_listed(serve: Serve) -> None:
    client = await served(serve)
    await client.post("/tasks/counting/run", json={})
    first, second = (await client.get("/tasks")).json()
    assert (first["task"], first["schedule"], first["outcome"]) == ("counting", "every 10m, catch-up last", "finished")
    assert (first["state"], first["next"], first["last"]) == ("waiting", "2026-01-01T00:10:00Z", "2026-01-01T00:00:00Z")
    assert (second["task"], second["schedule"]) == ("failing", "0 6 * * * in Europe/Berlin, catch-up last")
    assert (second["state"], second["next"], second["last"]) == ("new", None, None)


async def test_a_flow_is_fired_and_its_state_and_log_are_shown(serve: Serve) -> None:
    client = await served(serve)
    fired = (await client.post("/tasks/counting/run", json={})).json()
    assert (fired["running"], fired["firing"]["outcome"], fired["firing"]["missed"]) == (False, "finished", 0)
    found = (await client.get("/tasks/counting")).json()
    assert (found["values"], found["log"]) == ({"count": 1}, [fired["firing"]])


async def test_a_firing_that_fails_says_why(serve: Serve) -> None:
    client = await served(serve)
    fired = (await client.post("/tasks/failing/run", json={})).json()["firing"]
    assert (fired["outcome"], fired["reason"]) == ("failed", "the price list is empty")
    assert (await client.get(f"/runs/{fired['run']}")).json()["flow"] == "failing"


async def test_a_flow_is_paused_and_resumed(serve: Serve) -> None:
    client = await served(serve)
    paused = (await client.post("/tasks/counting/pause", json={})).json()
    assert (paused["state"], paused["next"]) == ("paused", None)
    resumed = (await client.post("/tasks/counting/resume", json={})).json()
    assert (resumed["state"], resumed["next"]) == ("waiting", "2026-01-01T00:10:00Z")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/tasks/no"), ("POST", "/tasks/no/run"), ("POST", "/tasks/no/pause"), ("POST", "/tasks/no/resume")],
)
async def test_a_name_without_a_schedule_is_not_found(serve: Serve, method: str, path: str) -> None:
    client = await served(serve)
    answer = await client.request(method, path, headers=JSON)
    assert answer.status_code == 404
    assert "no flow with a schedule has the name no" in answer.json()["detail"]


async def test_a_page_elsewhere_fires_nothing(serve: Serve) -> None:
    client = await served(serve)
    answer = await client.post("/tasks/counting/run", headers={**JSON, "origin": "https://other.example"})
    assert answer.status_code == 403
    assert (await client.get("/tasks")).json()[0]["state"] == "new"


async def test_no_payload_starts_a_scheduled_flow(serve: Serve) -> None:
    client = await served(serve)
    answer = await client.post("/track", json=payload("schedule-fired", options={"debugger": True}))
    assert answer.status_code == 200
    assert "counted" not in answer.text
    assert (await client.get("/tasks")).json()[0]["state"] == "new"


# ---- tasks -----------------------------------------------------------------------------------------------------------


async def main(params: Any, world: Any) -> None:
    await world.store_events([{"collection": "order", "properties": {"number": 1}}, {"collection": 5}])
    await world.keep("cursor", 1)


def with_task() -> Project:
    pull = ScriptTask(
        name="pull", source="shop", script=Script(file="tasks/pull.js", text=""), schedule=Schedule(every_ms=600_000)
    )
    return structs.replace(project(COUNTING), tasks={"pull": pull})


async def test_a_task_is_fired_and_its_log_shows_what_it_stored_and_logged(serve: Serve) -> None:
    scripting = Scripting(PythonScripts(main, ["one page fetched"]), no_way_out)
    client = await serve(with_task(), clock=ManualClock(NOW), keeps_up=False, scripting=scripting)
    fired = (await client.post("/tasks/pull/run", json={})).json()["firing"]
    assert (fired["outcome"], fired["events"], fired["rejected"]) == ("finished", 1, 1)
    assert fired["log"] == ["info: one page fetched"]
    found = (await client.get("/tasks/pull")).json()
    assert (found["values"], found["log"], found["schedule"]) == ({"cursor": 1}, [fired], "every 10m, catch-up last")
    (event,) = (await client.get("/search/events", params={"q": "type:order"})).json()["items"]
    assert (event["source"], event["properties"]) == ("shop", {"number": 1})
    assert [each["task"] for each in (await client.get("/tasks")).json()] == ["counting", "pull"]


async def test_a_task_is_paused_and_resumed(serve: Serve) -> None:
    client = await serve(with_task(), clock=ManualClock(NOW), keeps_up=False)
    assert (await client.post("/tasks/pull/pause", json={})).json()["state"] == "paused"
    assert (await client.post("/tasks/pull/resume", json={})).json()["next"] == "2026-01-01T00:10:00Z"


async def test_without_the_extra_a_task_fails_and_says_how_to_install_it(serve: Serve) -> None:
    client = await serve(with_task(), clock=ManualClock(NOW), keeps_up=False, scripting=NO_SCRIPTS)
    fired = (await client.post("/tasks/pull/run", json={})).json()["firing"]
    assert (fired["outcome"], "install the extra `headrace[js]`" in fired["reason"]) == ("failed", True)
