"""How long the first pages of the console take, at two sizes of a store: their cost must not grow with it.

`python -m benchmarks.console_lists --runs 20000 --runs 1000000` fills a SQLite file for each size, serves it in this
process, and prints the median and the slowest of some requests to each page, in ms.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
from litestar.testing import AsyncTestClient

from api.app import create_app
from effects.clock import SystemClock
from engine.ports.records import RunRecord, StoredEvent, Unit
from storage.sqlite.store import SqliteStore
from tests.projects import project

FLOW = """
flow: cart
trigger: {event: cart-updated}
nodes:
  remember: {profile.set: {traits.total: "{{ event.properties.total }}"}}
"""
KEY = "the-key-of-the-benchmark"
AT_ONCE = 2_000
REPEATS = 7
TRACE = {
    "event": {"id": "e", "type": "cart-updated"},
    "flow": "cart",
    "version": "0" * 16,
    "outcome": "finished",
    "duration_us": 42,
    "steps": [{"node": "remember", "type": "profile.set", "line": 5, "port": "done", "us": 20.0}],
    "not_run": [],
}
PAGES = (
    "/console/runs",
    "/console/runs?q=outcome:failed",
    "/console/runs?q=profile:p-7",
    "/console/runs?q=nodes:%22remember:failed%22",
    "/console/events",
    "/console",
    "/console/problems",
    "/search/runs?limit=50",
)


async def fill(store: SqliteStore, count: int, now: int) -> None:
    """Store so many runs, each of an event of its own; one of 200 has failed."""
    for begin in range(0, count, AT_ONCE):
        numbers = range(begin, min(count, begin + AT_ONCE))
        events = [
            StoredEvent(f"e-{n}", "cart-updated", "shop", now - count + n, profile=f"p-{n % 5000}") for n in numbers
        ]
        await store.commit(Unit(events=tuple(events), runs=tuple([run(n, now - count + n) for n in numbers])))


def run(n: int, at: int) -> RunRecord:
    """A kept run."""
    failed = n % 200 == 0
    port = "failed" if failed else "done"
    steps = [{**TRACE["steps"][0], "port": port}]  # type: ignore[index]
    outcome = "failed" if failed else "finished"
    trace = msgspec.json.encode({**TRACE, "outcome": outcome, "steps": steps})
    return RunRecord(
        id=f"{n:032x}",
        event=f"e-{n}",
        flow="cart",
        version="0" * 64,
        outcome=outcome,
        at=at,
        source="shop",
        profile=f"p-{n % 5000}",
        trace=msgspec.Raw(trace),
        type="cart-updated",
        kept=outcome if failed else "sampled",
        node="remember" if failed else None,
        port="failed" if failed else None,
        reason="`event.properties.total` is absent" if failed else None,
        us=42,
        nodes=(f"remember:{port}",),
    )


async def measure(count: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Return the median and the slowest time of each page, in ms."""
    store = SqliteStore.open(folder / f"{count}.db")
    await fill(store, count, SystemClock().now())
    app = create_app(project(FLOW), store, admin_key=KEY)
    found: dict[str, tuple[float, float]] = {}
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        client.headers["authorization"] = f"Bearer {KEY}"
        for page in PAGES:
            times = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                answer = await client.get(page)
                times.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, (page, answer.status_code)
            found[page] = statistics.median(times), max(times)
    return found


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, action="append", help="The size of a store; repeatable")
    sizes = parser.parse_args().runs or [20_000, 1_000_000]
    with tempfile.TemporaryDirectory() as folder:
        results = {size: asyncio.run(measure(size, Path(folder))) for size in sizes}
    print(f"{'page':45}", *[f"{size:>12,} runs  slowest" for size in sizes])
    for page in PAGES:
        cells = [f"{results[size][page][0]:>14.1f} ms  {results[size][page][1]:>7.1f}" for size in sizes]
        print(f"{page:45}", *cells)


if __name__ == "__main__":
    main()
