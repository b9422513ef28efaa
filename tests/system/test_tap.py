"""`headrace tap` on a real server with two workers: it prints each run that it means, once, and ends well."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.system.load_generator import LoadGenerator
from tests.system.server_process import ServerProcess
from tests.system.test_serve_workers import shared


async def read(served: ServerProcess, path: str, **query: str) -> Any:
    async with (
        aiohttp.ClientSession(headers=served.admin) as http,
        http.get(f"{served.address}{path}", params=query) as answer,
    ):
        return msgspec.json.decode(await answer.read())


async def load_until_all_are_kept(load: LoadGenerator, served: ServerProcess) -> set[str]:
    """Send events until all runs of one session are kept. Returns their events.

    Each worker looks at the switches every two seconds, so some of the first runs are not kept.
    """
    while True:
        before = set(load.sent)
        await load.load(served.address, until=len(load.acknowledged) + 80, clients=16)
        found = await read(served, "/search/runs", q="session:visit-1", limit="1000")
        kept = {run["event"]["id"] for run in found["items"]}
        if kept >= {f"e-{number}" for number in load.sent - before if number % 4 == 1}:
            return kept


async def test_a_tap_prints_the_runs_of_one_session_on_all_workers_and_ends_its_switch(tmp_path: Path) -> None:
    load = LoadGenerator(profiles=4)
    with shared(tmp_path) as served:
        await asyncio.to_thread(served.workers, 2)
        command = [sys.executable, "-m", "cli.main", "tap", "--url", served.address, "--project", str(served.project)]
        tap = await asyncio.create_subprocess_exec(*command, "--session", "visit-1", "--json", stdout=PIPE, stderr=PIPE)
        assert tap.stdout is not None
        assert tap.stderr is not None
        assert "are traced for 10 minutes" in (await tap.stderr.readline()).decode()
        (switch,) = await read(served, "/tracing")
        assert switch["session"] == "visit-1"
        wanted = await load_until_all_are_kept(load, served)
        runs = [msgspec.json.decode(await tap.stdout.readline()) for _ in wanted]
        assert {run["event"]["id"] for run in runs} == wanted
        kept = {run["kept"] for run in runs}
        assert {"debugged"} <= kept <= {"debugged", "sampled"}, (
            "one that was kept before the switch held is printed, too"
        )
        tap.send_signal(signal.SIGINT)
        assert await tap.stdout.read() == b""
        assert f"{len(wanted)} runs were traced" in (await tap.stderr.read()).decode()
        assert await tap.wait() == 0
        assert await read(served, "/tracing") == []
        assert served.stop() == 0
