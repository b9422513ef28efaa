"""Scheduled flows of servers that are killed: each firing counts once, and its events take effect once."""

import random
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.server_process import ServerProcess, serving, write_project

TICKING = """
    flow: ticking
    trigger: {every: 1s}
    nodes:
      before: {state.get: {key: count, default: 0}, next: keep}
      keep: {state.set: {key: count, value: "{{ nodes.before.out + 1 }}"}, next: say}
      say: {event.emit: {type: ticked, properties: {number: "{{ nodes.before.out + 1 }}"}}}
"""
SECONDS = 40.0  # within which a server must get on: a claim of a process that was killed is taken over after 15


def asked(served: ServerProcess, method: str, path: str) -> Any:
    """The answer of a server to its administrator."""
    body = {"json": {}} if method == "POST" else {}
    answer = httpx.request(method, f"{served.address}{path}", headers=served.admin, timeout=10, **body)
    answer.raise_for_status()
    return answer.json()


def count(served: ServerProcess) -> int:
    return int(asked(served, "GET", "/tasks/ticking")["values"].get("count", 0))


def ticks(served: ServerProcess) -> list[int]:
    """The numbers of the events that have been processed, sorted."""
    page = asked(served, "GET", "/search/events?q=type:ticked&limit=1000")
    return sorted(event["properties"]["number"] for event in page["items"])


def wait_for(condition: Any) -> None:
    """Ask again until a condition holds."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "nothing has happened for long"
        time.sleep(0.05)


def kill_again_and_again(tmp_path: Path, kills: int) -> None:
    project, database = write_project(tmp_path / "project", ticking=TICKING), tmp_path / "store.db"
    dice = random.Random(11)
    for _ in range(kills):
        with serving(project, database) as served:
            enough = count(served) + dice.randrange(1, 3)
            wait_for(lambda served=served, enough=enough: count(served) >= enough)
            time.sleep(dice.random())  # anywhere between two firings, and within one
            served.kill()
    with serving(project, database) as served:
        asked(served, "POST", "/tasks/ticking/pause")
        wait_for(lambda: asked(served, "GET", "/tasks/ticking")["state"] == "paused")
        fired = count(served)
        wait_for(lambda: len(ticks(served)) >= fired)
        assert ticks(served) == list(range(1, fired + 1))
        assert served.stop() == 0
    assert fired >= kills


def test_kills_neither_lose_nor_double_a_firing_or_its_event(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 3)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_fifty_kills_neither_lose_nor_double_a_firing_or_its_event(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, 50)
