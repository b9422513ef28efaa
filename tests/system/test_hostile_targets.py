"""Targets that do what no target should cost their own flow a wired port, and other traffic next to nothing.

Even traffic is measured in turns, without and with events that call such targets, on one server: absolute times mean
nothing on a busy machine. A machine that is busy with something else in the wrong turns measures again.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import msgspec
from aiohttp import ClientSession

from tests.system.lying_names_server import INSIDE, REBOUND
from tests.system.server_process import COUNT, SOURCE, serving, write_project

ANSWER_WITHIN = 3.0  # seconds
HOSTILE = ("hang", "drip", "huge", "announced", "broken", "redirect", "redirect-usual", "rebound", "inside")
ROUNDS = 5
SECONDS = 1.5  # of each turn
MEASUREMENTS = 3  # at most; the first is enough on a quiet machine
RATE = 60  # ordinary events a second
HOSTILE_RATE = 18  # events a second that call a hostile target, each one in turn
PATIENCE = 30.0  # seconds by which a busy machine may be late

CALL = """
flow: {name}
trigger: {{event: {name}}}
nodes:
  ask:
    lookup.http: {{target: {name}, path: "/{{{{ session.id }}}}"}}
    timeout: 1s
    next: {{found: known, missing: known, failed: unknown}}
  known: {{respond: {{port: "not failed"}}}}
  unknown: {{respond: {{port: failed}}}}
"""


class Targets:
    """The hostile targets, in a process of their own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._said, self._ask = process.stdout, process.stdin
        self.ports: dict[str, int] = msgspec.json.decode(self._said.readline())

    def connections_inside(self) -> int:
        """Return how many connections the private service has had."""
        self._ask.write("\n")
        self._ask.flush()
        return int(self._said.readline())

    def settings(self) -> str:
        """Return the `headrace.yaml` with a target of each kind."""
        own = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items() if name != "private"}
        lines = [f"  {name}: {{url: '{url}', private: true, redirects: 3}}" for name, url in own.items()]
        for name, host in (("rebound", REBOUND), ("inside", INSIDE)):
            lines.append(f"  {name}: {{url: 'http://{host}:{self.ports['private']}'}}")
        return "targets:\n" + "\n".join(lines) + "\n"


@contextmanager
def hostile_targets() -> Iterator[Targets]:
    command = [sys.executable, "-m", "tests.system.hostile_targets"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Targets(process)
        finally:
            process.kill()


class Traffic:
    """Events that are sent at an even rate, whatever becomes of those before; with their latencies in seconds."""

    def __init__(self, http: ClientSession, address: str) -> None:
        self._http, self._url = http, f"{address}/track"
        self._number = 0

    async def one(self, type: str) -> tuple[float, dict[str, str]]:
        """Send an event of a new session; returns the latency and what the flow responded."""
        self._number += 1
        body = {"source": {"id": "shop"}, "session": {"id": f"s-{self._number}"}, "events": [{"type": type}]}
        began = time.perf_counter()
        async with self._http.post(self._url, json=body) as answered:
            answer = await answered.json()
            assert answered.status == 200, answer
        return time.perf_counter() - began, answer.get("response") or {}

    async def even(self, types: tuple[str, ...], rate: float, seconds: float) -> list[tuple[float, dict[str, str]]]:
        """Send events of these types in turn, and wait for the answers to all."""
        began, sent = time.perf_counter(), []
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(began + number / rate - time.perf_counter(), 0))
            sent.append(asyncio.create_task(self.one(types[number % len(types)])))
        return await asyncio.gather(*sent)


class Measured:
    """The p99 of ordinary events in each turn without and with hostile ones, and the answers to the latter."""

    def __init__(self) -> None:
        self.alone: list[float] = []
        self.beside: list[float] = []
        self.answers: list[tuple[float, dict[str, str]]] = []

    @property
    def ratio(self) -> float:
        return median(self.beside) / median(self.alone)


async def measured(traffic: Traffic) -> Measured:
    """Measure some turns."""
    found = Measured()
    for _ in range(ROUNDS):
        found.alone.append(p99(await traffic.even(("counted",), RATE, SECONDS)))
        ordinary, hostile = await asyncio.gather(
            traffic.even(("counted",), RATE, SECONDS), traffic.even(HOSTILE, HOSTILE_RATE, SECONDS)
        )
        found.beside.append(p99(ordinary))
        found.answers += hostile
    return found


async def measured_on(address: str) -> list[Measured]:
    """Measure until hostile targets cost others less than twice the time, or often enough."""
    results: list[Measured] = []
    async with ClientSession() as http:
        traffic = Traffic(http, address)
        await traffic.even(("counted", *HOSTILE), RATE, 1)  # warm
        while len(results) < MEASUREMENTS and not (results and results[-1].ratio < 2):
            results.append(await measured(traffic))
    return results


def p99(answers: list[tuple[float, dict[str, str]]]) -> float:
    return quantiles([latency for latency, _ in answers], n=100)[98]


async def test_hostile_targets_cost_their_flows_a_wired_port_and_others_less_than_twice_the_time(
    tmp_path: Path,
) -> None:
    with hostile_targets() as targets:
        flows = {name: CALL.format(name=name) for name in HOSTILE}
        project = write_project(tmp_path / "project", count=COUNT, **flows)
        (project / "headrace.yaml").write_text(targets.settings())
        source = f"{SOURCE}answer_within: {round(ANSWER_WITHIN * 1000)}\n"
        (project / "sources" / "shop.yaml").write_text(source)
        with serving(project, tmp_path / "store.db", module="tests.system.lying_names_server") as served:
            results = await measured_on(served.address)
            assert served.stop() == 0
        answers = [answer for result in results for answer in result.answers]
        assert [response for _, response in answers] == [{"port": "failed"}] * len(answers)
        assert max(latency for latency, _ in answers) < ANSWER_WITHIN + PATIENCE
        assert median(latency for latency, _ in answers) < ANSWER_WITHIN
        assert targets.connections_inside() == 0
        assert results[-1].ratio < 2, [(result.alone, result.beside) for result in results]
