"""Forgetting under load: afterwards no byte of the profile is stored anywhere, and all other profiles are complete."""

import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from tests.servers.elasticsearch import Servers
from tests.storage.elasticsearch_requests import asked, dropped, is_segment
from tests.storage.file_contents import found_in
from tests.system.server_process import ServerProcess, serving, serving_on, write_project

pytestmark = pytest.mark.timeout(300)

FLOW = """
flow: remember
trigger: {event: seen}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.token }}@example.com"}, next: note}
  note: {profile.set: {traits.token: "{{ event.properties.token }}"}, next: list}
  list: {profile.append: {traits.all: "{{ event.properties.token }} {{ event.id }}"}, next: keep}
  keep: {cache.set: {key: "{{ event.properties.token }}", value: "{{ event.properties }}", ttl: 1h}, next: say}
  say: {log: "seen {{ event.properties.token }}"}
"""
JSON = {"Content-Type": "application/json"}
Lasting = Callable[[str], Awaitable[list[str]]]  # the files in which a text has come to rest


class Visitor:
    """A visitor with two sessions; each of its events and ids contains a token of its own."""

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self.token = secrets.token_hex(16)
        self.statuses: Counter[int] = Counter()
        self.profile = ""
        self._http = http
        self._address = address
        self._numbers = iter(range(10**9))

    async def send(self, session: str, **more: object) -> None:
        """Send an event, with the debugger on; and one that is rejected."""
        number = next(self._numbers)
        event = {"type": "seen", "id": f"{self.token}-{number}", "properties": {"token": self.token, "n": number}}
        body = {
            "source": {"id": "shop"},
            "session": {"id": f"{session} of {self.token}"},
            "events": [event, {"type": 7, "properties": {"token": self.token}}],
            "options": {"debugger": number % 5 == 0},
            **more,
        }
        async with self._http.post(f"{self._address}/track", data=msgspec.json.encode(body), headers=JSON) as answer:
            self.statuses[answer.status] += 1
            document = await answer.json(content_type=None)
            if answer.status == 200:
                self.profile = document["profile"]["id"]

    async def visit(self, over: asyncio.Event) -> None:
        """Send in both sessions, and under the profile's id, until it is over."""
        while not over.is_set():
            await self.send("phone")
            await self.send("desk")
            await self.send(f"visit {self.statuses.total()}", profile={"id": self.profile})


async def forgotten(served: ServerProcess, id: str) -> None:
    """Forget a profile as an operator does, and wait until that is complete."""
    at = ["--url", served.address, "--project", str(served.project)]
    command = [sys.executable, "-m", "cli.main", "forget", id, "--yes", *at]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0


async def forget_under_load(served: ServerProcess, lasting: Lasting) -> tuple[Visitor, Visitor]:
    """Two visitors; one of them, of whom something has come to rest, is forgotten while both go on."""
    over = asyncio.Event()
    async with aiohttp.ClientSession() as http:
        ann, bo = Visitor(http, served.address), Visitor(http, served.address)
        visits = [asyncio.create_task(one.visit(over)) for one in (ann, bo)]
        while min(ann.statuses[200], bo.statuses[200]) < 30:
            await asyncio.wait(visits, timeout=0.05)
        assert await lasting(ann.token)
        await forgotten(served, ann.profile)
        over.set()
        await asyncio.gather(*visits)
        assert set(bo.statuses) == {200}
        assert set(ann.statuses) == {200, 410}
        await bo.send("phone")
    return ann, bo


async def test_under_load_every_byte_of_a_profile_is_erased_from_sqlite_and_its_logs(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()

    async def lasting(token: str) -> list[str]:
        return [*found_in(token, files)]

    project = write_project(tmp_path / "project", remember=FLOW)
    with serving(project, files / "store.db", "tests.system.fast_erasure_server") as served:
        ann, bo = await forget_under_load(served, lasting)
        assert found_in(ann.token, files) == {}
        assert found_in(bo.token, files) != {}
        assert served.stop() == 0
    assert ann.token not in served.output
    assert found_in(ann.token, tmp_path) == {}
    assert list(found_in(bo.token, tmp_path)) == [str(files / "store.db")]


async def test_under_load_every_byte_of_a_profile_is_erased_from_elasticsearch(
    tmp_path: Path, elasticsearch_url: str, servers: Servers
) -> None:
    prefix = f"t-{uuid4().hex}"
    (node,) = [node for node in servers.nodes if node.url == elasticsearch_url]
    project = write_project(tmp_path / "project", remember=FLOW)
    store = f"elasticsearch:{elasticsearch_url}?prefix={prefix}"

    async def lasting(token: str) -> list[str]:
        await asked(elasticsearch_url, "POST", f"/{prefix}-*/_flush?force=true")
        return [file for file in found_in(token, node.place) if is_segment(file)]

    with serving_on(project, store, "--workers", "2") as served:
        served.workers(2)
        ann, bo = await forget_under_load(served, lasting)
        assert await hits(elasticsearch_url, prefix, ann.token) == 0
        assert await hits(elasticsearch_url, prefix, bo.token) > 0
        assert found_in(ann.token, node.place) == {}
        assert await lasting(bo.token)
        assert served.stop() == 0
    assert ann.token not in served.output
    assert found_in(ann.token, node.place) == {}
    await dropped(elasticsearch_url, prefix)


async def hits(server: str, prefix: str, token: str) -> int:
    """How many documents have a text anywhere in what is stored of them; none of it is searched."""
    await asked(server, "POST", f"/{prefix}-*/_refresh")
    found = await asked(server, "POST", f"/{prefix}-*/_search", {"size": 10_000, "query": {"match_all": {}}})
    assert found["hits"]["total"]["value"] <= 10_000  # all of them were looked at
    return sum(token in str(hit) for hit in found["hits"]["hits"])
