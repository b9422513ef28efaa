"""The pages of tasks and waits: schedules, firings, and runs that wait; and what operators do with them."""

from typing import Any

import pytest

from effects.clock import ManualClock
from tests.api.conftest import Serve
from tests.api.console.pages import read
from tests.projects import payload, project

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
NIGHTLY = """
flow: nightly
trigger: {schedule: "0 3 * * *"}
nodes:
  note: {log: "done"}
"""
REMINDS = """
flow: reminds
trigger: {event: cart}
while_waiting: parallel
nodes:
  pause: {wait.for: {event: order}, timeout: 2h, next: {arrived: note, timeout: note}}
  note: {profile.set: {traits.reminded: true}}
"""


async def served(serve: Serve) -> Any:
    """A client of a server whose task has been fired once."""
    client = await serve(project(NIGHTLY), clock=ManualClock(NOW), keeps_up=False)
    await client.post("/tasks/nightly/run", json={})
    return client


async def test_a_task_shows_its_schedule_and_its_next_time(serve: Serve) -> None:
    client = await served(serve)
    page = read(await client.get("/console/tasks"))
    assert "1 task, 0 runs waiting" in page.text
    assert "nightly waiting 0 3 * * *" in page.text
    assert "No run waits." in page.text
    assert "nightly waits for its time" in read(await client.get("/console/tasks/nightly")).text


@pytest.mark.parametrize(("change", "state"), [("pause", "is paused"), ("resume", "waits for its time")])
async def test_an_operator_pauses_and_resumes_a_task(serve: Serve, change: str, state: str) -> None:
    client = await served(serve)
    form = {"reason": "the target moves"}
    answer = await client.post(f"/console/tasks/nightly/{change}", data=form, follow_redirects=False)
    assert answer.status_code == 303
    assert f"nightly {state}" in read(await client.get(answer.headers["location"])).text
    audit = read(await client.get("/console/audit"))
    assert f"{change} a task" in audit.text
    assert "the target moves" in audit.text


async def test_a_firing_is_in_the_log_of_its_task(serve: Serve) -> None:
    client = await served(serve)
    page = read(await client.get("/console/tasks/nightly"))
    assert "It has never been fired." not in page.text
    assert "finished" in page.text


async def test_unknown_names_are_answered_in_words(serve: Serve) -> None:
    client = await served(serve)
    assert "has the name absent" in read(await client.get("/console/tasks/absent"), 404).text
    read(await client.post("/console/tasks/absent/pause", data={"reason": ""}), 404)
    assert (
        "no such change as burn"
        in read(await client.post("/console/tasks/nightly/burn", data={"reason": ""}), 404).text
    )


async def test_without_tasks_the_page_says_so(serve: Serve) -> None:
    client = await serve(project())
    assert "Nothing has a schedule." in read(await client.get("/console/tasks")).text


async def test_waits_are_cancelled_after_a_question(serve: Serve) -> None:
    client = await serve(project(REMINDS))
    await client.post("/track", json=payload("cart"))
    (wait,) = (await client.get("/waits")).json()
    page = read(await client.get("/console/tasks"))
    assert "0 tasks, 1 run waiting" in page.text
    assert "for order" in page.text
    asked = read(await client.get(f"/console/waits/cancel?id={wait['id']}"))
    assert "Cancel 1 wait?" in asked.text
    answer = await client.post("/console/waits/cancel", data={"id": wait["id"]}, follow_redirects=False)
    assert "1 wait cancelled." in read(await client.get(answer.headers["location"])).text
    assert (await client.get("/waits")).json() == []
    assert "None of them waits any more" in read(await client.get(f"/console/waits/cancel?id={wait['id']}")).text
