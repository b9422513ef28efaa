"""Measures a server under attack and under more load than it can process.

    python -m benchmarks.overload [--root CHECKOUT ...] [--rounds 3] [--seconds 6]

*Attacks*: good clients send 150 orders a second; their latency and the memory of the server are measured before and
during each attack, on a new server. *Overload*: wrk sends as fast as it is answered, by 64 connections and by 3,000 in
turn; goodput is the rate of answers 200. With several roots, their servers are measured in turn, for a comparison of
two checkouts in one session; each needs its own `.venv`. Everything happens on loopback. Needs `wrk`.

Absolute times are noise on a shared machine: compare figures of one run only.
"""

import argparse
import asyncio
import shutil
import tempfile
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

from benchmarks.bench import load
from benchmarks.overload.clients import ATTACKS, attack, good_traffic
from benchmarks.overload.served import Served, serving

BEST_CONNECTIONS = 64
CLIENTS = 3_000
SAMPLE_SECONDS = 0.05
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Attacked:
    """The effect of one attack on a server: latencies in ms, memory in MiB.

    The connections of an attack come in a burst, which is within `during`; `after` is while the server holds what it
    keeps of them.
    """

    p99_before: float
    p99_during: float
    p99_after: float
    memory_before: float
    memory_peak: float
    failures: int
    answers: Counter[str]


@dataclass(frozen=True)
class Goodput:
    """Answers 200 in a second, and in a second of the server's processor time; all others in a second."""

    rate: float
    rate_of_cpu: float
    others: float
    p99_ms: float


def under_attack(name: str, root: Path, seconds: float) -> Attacked:
    """Measure one attack on a new server."""
    with (
        tempfile.TemporaryDirectory(prefix="headrace-overload-") as directory,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        serving(root, Path(directory) / "store.db") as served,
    ):
        asyncio.run(good_traffic(served, 1))  # warm
        before, failed_before = asyncio.run(good_traffic(served, seconds))
        memory = served.memory()
        attacking = pool.submit(attack, name, served, 2 * seconds)
        during, failed, peak = asyncio.run(_traffic_and_memory(served, seconds))
        after, failed_after = asyncio.run(good_traffic(served, seconds))
        answers = _result(attacking)
    failures = failed_before + failed + failed_after
    return Attacked(_p99(before), _p99(during), _p99(after), memory, peak, failures, answers)


async def _traffic_and_memory(served: Served, seconds: float) -> tuple[list[float], int, float]:
    peak = served.memory()

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, served.memory())
            await asyncio.sleep(SAMPLE_SECONDS)

    watching = asyncio.create_task(watch())
    latencies, failures = await good_traffic(served, seconds)
    watching.cancel()
    return latencies, failures, peak


def _result(attacking: "Future[Counter[str]]") -> Counter[str]:
    return attacking.result(timeout=60)


def _p99(latencies: list[float]) -> float:
    return quantiles(latencies, n=100)[98]


def goodput(served: Served, connections: int, seconds: int) -> Goodput:
    """Load a server by wrk, which sends the next request of a connection as soon as the last one is answered."""
    cpu = served.cpu()
    measured = load(served.address, connections, seconds)
    good = measured.rate - measured.errors / seconds
    return Goodput(good, good * seconds / (served.cpu() - cpu), measured.errors / seconds, measured.p99_ms)


def attacks(console: Console, roots: list[Path], chosen: argparse.Namespace) -> None:
    """Measure and print all attacks."""
    table = Table(title="Good traffic under attack", box=None, header_style="bold")
    left = {"attack", "root", "answers"}
    for column in (
        "attack",
        "root",
        "p99 before",
        "burst, ms",
        "ratio",
        "held, ms",
        "ratio",
        "+MiB",
        "failed",
        "answers",
    ):
        table.add_column(column, justify="left" if column in left else "right")
    for name in ATTACKS:
        for root in roots:
            runs = [under_attack(name, root, chosen.seconds) for _ in range(chosen.rounds)]
            table.add_row(
                name,
                root.name,
                f"{median(run.p99_before for run in runs):.1f}",
                f"{median(run.p99_during for run in runs):.1f}",
                f"{median(run.p99_during / run.p99_before for run in runs):.1f}",
                f"{median(run.p99_after for run in runs):.1f}",
                f"{median(run.p99_after / run.p99_before for run in runs):.1f}",
                f"{max(run.memory_peak - run.memory_before for run in runs):.0f}",
                str(sum(run.failures for run in runs)),
                ", ".join(f"{count} × {answer}" for answer, count in sorted(runs[-1].answers.items())),
            )
    console.print(table)


def overload(console: Console, roots: list[Path], chosen: argparse.Namespace) -> None:
    """Measure and print the goodput under overload."""
    table = Table(title=f"Goodput of {CLIENTS:,} clients", box=None, header_style="bold")
    for column in ("root", "clients", "200 /s", "200 /s of CPU", "others /s", "p99 ms", "of the best", "by CPU"):
        table.add_column(column, justify="left" if column == "root" else "right")
    for root in roots:
        with (
            tempfile.TemporaryDirectory(prefix="headrace-overload-") as directory,
            serving(root, Path(directory) / "store.db") as served,
        ):
            load(served.address, 16, 4)  # warm
            pairs = [
                (goodput(served, BEST_CONNECTIONS, chosen.seconds), goodput(served, CLIENTS, chosen.seconds))
                for _ in range(chosen.rounds)
            ]
        for i, clients in enumerate((BEST_CONNECTIONS, CLIENTS)):
            runs = [pair[i] for pair in pairs]
            table.add_row(
                root.name,
                f"{clients:,}",
                f"{median(run.rate for run in runs):.0f}",
                f"{median(run.rate_of_cpu for run in runs):.0f}",
                f"{median(run.others for run in runs):.0f}",
                f"{median(run.p99_ms for run in runs):.0f}",
                f"{median(pair[i].rate / pair[0].rate for pair in pairs):.2f}",
                f"{median(pair[i].rate_of_cpu / pair[0].rate_of_cpu for pair in pairs):.2f}",
            )
    console.print(table)


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overload", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, action="append", help="a checkout; repeat it to compare several")
    parser.add_argument("--seconds", type=int, default=6, help="seconds of each load")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each case")
    parser.add_argument("--only", choices=("attacks", "overload"), help="one part; without it both are measured")
    chosen = parser.parse_args()
    roots = [root.resolve() for root in chosen.root or [CHECKOUT]]
    console = Console(width=160)
    if chosen.only != "attacks" and shutil.which("wrk") is None:
        raise SystemExit("`wrk` is needed for the overload: install the package wrk")
    if chosen.only != "overload":
        attacks(console, roots, chosen)
    if chosen.only != "attacks":
        overload(console, roots, chosen)


if __name__ == "__main__":
    main()
