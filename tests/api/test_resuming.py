"""Waits of a running server: what a commit makes ripe goes on at once."""

from tests.api.conftest import Serve
from tests.projects import project

NOW = """
flow: now
trigger: {event: go}
while_waiting: parallel
nodes:
  nap: {wait: 0s, next: add}
  add: {profile.increment: {traits.went: 1}}
"""


async def test_a_run_goes_on_after_the_answer_without_its_sender(serve: Serve) -> None:
    client = await serve(project(NOW))
    body = {"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": [{"type": "go"}]}
    answer = (await client.post("/track", json={**body, "options": {"debugger": True}})).json()
    (runs,) = [event["runs"] for event in answer["debugging"]["execution"].values()]
    assert [run["outcome"] for run in runs] == ["paused"]
    address, traits = f"/profiles/{answer['profile']['id']}", {}
    for _ in range(100):  # requests, between which the server's other work gets its turn
        traits = traits or (await client.get(address)).json()["traits"]
    assert traits == {"went": 1}
