"""Measures how fast `/track` answers events that cause a delivery, against the same events without one, in one run.

    python -m benchmarks.delivering [--seconds 30] [--rate 100]

One server on SQLite takes both kinds in turn, at a fixed rate, and sends the deliveries meanwhile to a receiver in the
process of this benchmark. Each flow also changes the profile, so both kinds commit. Prints medians and ratios.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import aiohttp
from aiohttp import web

from benchmarks.bench import server

WARM_UP_SECONDS = 3
KINDS = ("plain", "telling")
COUNT = "{profile.increment: {traits.count: 1}}"
SEND = '{deliver.http: {target: crm, body: {id: "{{ event.id }}"}}, next: {failed: unsent}}'
NODES = {
    "plain": f"add: {COUNT}",
    "telling": f"add: {COUNT}\n  send: {SEND}\n  unsent: {{log: unsent}}\nstart: [add, send]",
}
FLOW = "flow: {name}\ntrigger: {{event: {name}}}\nprofile: required\nnodes:\n  {nodes}\n"


def write_project(root: Path, target: str) -> None:
    """A project with a flow of each kind."""
    (root / "flows").mkdir()
    (root / "sources").mkdir()
    (root / "sources" / "shop.yaml").write_text("source: shop\nkind: public\n")
    (root / "headrace.yaml").write_text(f"targets:\n  crm: {{url: {target}, private: true}}\n")
    for name in KINDS:
        (root / "flows" / f"{name}.yaml").write_text(FLOW.format(name=name, nodes=NODES[name]))


async def measure(seconds: int, rate: int) -> tuple[dict[str, list[float]], int]:
    """Milliseconds of each answer by kind, and how many deliveries arrived."""
    arrived = 0

    async def receive(request: web.Request) -> web.Response:
        nonlocal arrived
        arrived += 1
        return web.Response(status=204)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root, f"http://{host}:{port}")
        command = ("-m", "cli.main", "serve", folder, "--port", "0", "--store", f"sqlite:{folder}/bench.db")
        opened = server(*command)
        address = await asyncio.to_thread(opened.__enter__)
        try:
            async with aiohttp.ClientSession() as http:
                await send_all(http, address, WARM_UP_SECONDS, rate, {kind: [] for kind in KINDS})
                await send_all(http, address, seconds, rate, times)
                await asyncio.sleep(2)
        finally:
            await asyncio.to_thread(opened.__exit__, None, None, None)
    await runner.cleanup()
    return times, arrived


async def send_all(
    http: aiohttp.ClientSession, address: str, seconds: int, rate: int, times: dict[str, list[float]]
) -> None:
    """Send events at a fixed rate, whatever the answers take."""
    async with asyncio.TaskGroup() as group:
        for number in range(seconds * rate):
            kind = KINDS[number % 2]
            group.create_task(send(http, address, kind, number, times[kind]))
            await asyncio.sleep(1 / rate)


async def send(http: aiohttp.ClientSession, address: str, kind: str, number: int, times: list[float]) -> None:
    """Send one event and note how long its answer took."""
    payload = {"source": {"id": "shop"}, "session": {"id": f"s-{number % 500}"}, "events": [{"type": kind}]}
    began = time.perf_counter()
    async with http.post(f"{address}/track", json=payload) as answer:
        await answer.read()
        assert answer.status == 200, await answer.text()
    times.append((time.perf_counter() - began) * 1000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rate", type=int, default=100, help="events in a second, of both kinds together")
    asked = parser.parse_args()
    times, arrived = asyncio.run(measure(asked.seconds, asked.rate))
    rows = {kind: (median(found), quantiles(found, n=100)[98]) for kind, found in times.items()}
    for kind, (middle, slow) in rows.items():
        print(f"{kind:8} {len(times[kind])} answers, median {middle:.2f} ms, p99 {slow:.2f} ms")
    (plain, slow_plain), (telling, slow_telling) = rows["plain"], rows["telling"]
    assert arrived >= len(times["telling"]), f"only {arrived} deliveries arrived"
    print(f"with a delivery: median x {telling / plain:.2f}, p99 x {slow_telling / slow_plain:.2f}; {arrived} arrived")


if __name__ == "__main__":
    main()
