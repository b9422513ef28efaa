"""Measures `/track` against a bare ASGI handler on the same server in the same run, and the engine alone.

    python -m benchmarks.bench [--events 1000000] [--seconds 8]

On Elasticsearch the reference is a hand-written bulk writer of the same documents behind a bare handler. Prints
ratios, since absolute times are noise on shared machines. Needs `wrk` (a package of that name); without Java the part
on Elasticsearch is skipped with a note.
"""

import argparse
import asyncio
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.engine_alone import measure_engine
from benchmarks.preload import preload

HERE = Path(__file__).parent
CONNECTIONS = (1, 16, 64)
ELASTIC_CONNECTIONS = (64, 256)


@dataclass(frozen=True)
class Measured:
    """One run of the load generator."""

    rate: float
    p50_ms: float
    p99_ms: float
    errors: int


@contextmanager
def server(*command: str) -> Iterator[str]:
    """Start a server that prints its address on stderr; stop it by SIGINT."""
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            raise SystemExit(f"the server did not start: {' '.join(command)}")
        wait_until_ready(found[0])
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def wait_until_ready(address: str) -> None:
    """Wait until the address answers (at most 20 s)."""
    for _ in range(400):
        try:
            urllib.request.urlopen(f"{address}/health/live", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{address} does not answer")


def load(address: str, connections: int, seconds: int, ids: int = 0, sessions: int = 10_000) -> Measured:
    """Load `/track` by wrk, over `sessions` sessions; with `ids` each event has an id of its own."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(HERE / "track.lua"),
        f"{address}/track",
    ]
    output = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"IDS": str(ids), "SESSIONS": str(sessions)}
    ).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])  # type: ignore[index]
    latency = {p: _ms(v, u) for p, v, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", output)}
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Measured(rate, latency["50"], latency["99"], int(bad[1]) if bad else 0)


def _ms(value: str, unit: str) -> float:
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


Row = tuple[int, list[Measured], list[Measured]]


def compare(
    reference: Sequence[str], store: str, connections: Sequence[int], chosen: argparse.Namespace, **load_as: int
) -> list[Row]:
    """Measure a reference and Headrace in turn, several rounds for each number of connections."""
    headrace = ("-m", "cli.main", "serve", str(HERE / "six"), "--port", "0", "--store", store)
    found = []
    with server(*reference) as plain, server(*headrace) as full:
        for each in (plain, full):
            load(each, 16, 3, **load_as)  # warm: caches, sessions
        for number in track(connections, description="/track", transient=True):
            pairs = [
                (load(plain, number, chosen.seconds, **load_as), load(full, number, chosen.seconds, **load_as))
                for _ in range(chosen.rounds)
            ]
            found.append((number, [a for a, _ in pairs], [b for _, b in pairs]))
    return found


def report(console: Console, title: str, rows: list[Row], reference: str = "bare") -> None:
    """Print a table of ratios."""
    table = Table(title=title, box=None, header_style="bold")
    for column in ("connections", f"{reference} /s", "Headrace /s", "ratio (min–max)", "p50 ms", "p99 ms", "not 200"):
        table.add_column(column, justify="right")
    for connections, plain, full in rows:
        ratios = [b.rate / a.rate for a, b in zip(plain, full, strict=True)]
        table.add_row(
            str(connections),
            f"{median(m.rate for m in plain):.0f}",
            f"{median(m.rate for m in full):.0f}",
            f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
            f"{median(m.p50_ms for m in full):.2f}",
            f"{median(m.p99_ms for m in full):.2f}",
            str(sum(m.errors for m in full)),
        )
    console.print(table)


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the preloaded store")
    parser.add_argument("--seconds", type=int, default=6, help="seconds of each load")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of loads for each number of connections")
    parser.add_argument(
        "--only", choices=("engine", "sqlite", "elasticsearch"), help="one part; without it all are measured"
    )
    chosen = parser.parse_args()
    console = Console()
    if chosen.only in (None, "engine"):
        for name, microseconds in measure_engine().items():
            console.print(f"engine, six nodes, {name}: {microseconds:.1f} µs a run", highlight=False)
    if chosen.only != "engine" and shutil.which("wrk") is None:
        raise SystemExit("`wrk` is needed for the rest: install the package wrk")
    if chosen.only in (None, "sqlite"):
        on_sqlite(console, chosen)
    if chosen.only in (None, "elasticsearch"):
        on_elasticsearch(console, chosen)


def on_sqlite(console: Console, chosen: argparse.Namespace) -> None:
    """Measure `/track` on SQLite, durable."""
    bare = ("benchmarks/bare.py",)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as directory:
        empty, full = f"sqlite:{directory}/empty.db", f"sqlite:{directory}/full.db"
        report(console, "/track on SQLite, empty store", compare(bare, empty, CONNECTIONS, chosen))
        rows = compare(bare, empty, CONNECTIONS[-1:], chosen, sessions=1)
        report(console, "/track on SQLite, all events of one profile", rows)
        preload(Path(directory) / "full.db", chosen.events)
        title = f"/track on SQLite, {chosen.events:,} events in the store"
        report(console, title, compare(bare, full, CONNECTIONS, chosen))
        report(console, f"{title}, each event with an id of its own", compare(bare, full, CONNECTIONS, chosen, ids=1))


def on_elasticsearch(console: Console, chosen: argparse.Namespace) -> None:
    """Measure `/track` on a real Elasticsearch."""
    from tests.servers.distribution import JAVA
    from tests.servers.elasticsearch import Servers
    from tests.servers.missing import Missing

    servers = Servers()
    try:
        url = servers.single(next(iter(JAVA))).url
        asyncio.run(prepare(f"elasticsearch:{url}?prefix=bulk"))
        writer = ("-m", "benchmarks.bulk_writer", url, "bulk")
        store = f"elasticsearch:{url}?prefix=bench"
        rows = compare(
            writer, store, ELASTIC_CONNECTIONS, chosen, sessions=1000
        )  # after a moment all of them are cached
        report(console, "/track on Elasticsearch", rows, "bulk writer")
    except Missing as missing:
        console.print(f"/track on Elasticsearch is left out: {missing}")
    finally:
        servers.end()


async def prepare(store: str) -> None:
    """Create the indices that the reference writes to, as Headrace creates its own."""
    from storage import open_store

    opened = open_store(store, HERE)
    await opened.migrate()
    await opened.close()


if __name__ == "__main__":
    main()
