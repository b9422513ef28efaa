"""Send a real clickstream to Headrace, and check the stored result: `python -m benchmarks.clickstream`.

All events go through `/track`, the stored profiles, sessions and events are compared with a computation in plain
Python, and everything is sent a second time, which must change nothing. Exit code 1 if anything differs.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.clickstream.checks import Check, Stored, answers, contents, read, repeats, unchanged
from benchmarks.clickstream.clicks import Click, load
from benchmarks.clickstream.expected import Shopper, shoppers
from benchmarks.clickstream.sending import Pass, send
from benchmarks.clickstream.serving import PROJECT, Server
from storage import open_store

console = Console()


def main(
    url: Annotated[
        str, typer.Option(help="A Headrace that runs already and serves this project; only its answers are checked")
    ] = "",
    store: Annotated[str, typer.Option(help="An empty store to use; a temporary SQLite file by default")] = "",
    connections: Annotated[int, typer.Option(help="Connections that send at the same time", min=1)] = 32,
    data: Annotated[Path | None, typer.Option(help="A copy of ecom.csv.gz; fetched by default")] = None,
) -> None:
    """Play the clickstream, compare, play it again."""
    clicks = load(data)
    if url:
        passes, checks = asyncio.run(_by_url(url.rstrip("/"), clicks, connections))
    else:
        with tempfile.TemporaryDirectory(prefix="clickstream-") as directory:
            kept = store or f"sqlite:{directory}/clickstream.db"
            passes, checks = asyncio.run(_by_ourselves(kept, clicks, connections))
    _show_speeds(passes)
    _show_checks(checks)
    sys.exit(any(check.failed for check in checks))


async def _by_url(url: str, clicks: list[Click], connections: int) -> tuple[list[Pass], list[Check]]:
    first = await _play(url, clicks, connections, again=False)
    second = await _play(url, clicks, connections, again=True)
    return [first, second], [*answers(first.sent, len(clicks)), *repeats(first.sent, second.sent)]


async def _by_ourselves(store: str, clicks: list[Click], connections: int) -> tuple[list[Pass], list[Check]]:
    """Run both passes, each on a new server process: deduplication must survive the restart."""
    expected = shoppers(clicks)
    async with Server(store) as server:
        first = await _play(server.url, clicks, connections, again=False)
    before = await _stored(store, expected, first)
    async with Server(store) as server:
        second = await _play(server.url, clicks, connections, again=True)
    after = await _stored(store, expected, first)
    return [first, second], [
        *answers(first.sent, len(clicks)),
        *contents(before, expected),
        *repeats(first.sent, second.sent),
        *unchanged(before, after),
    ]


async def _play(url: str, clicks: list[Click], connections: int, *, again: bool) -> Pass:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("every event again" if again else "every event", total=len(clicks))
        return await send(url, clicks, connections, lambda: progress.advance(task), debugger=again)


async def _stored(uri: str, expected: list[Shopper], first: Pass) -> Stored:
    store = open_store(uri, PROJECT)
    try:
        return await read(store, expected, first.sent)
    finally:
        await store.close()


def _show_speeds(passes: Iterable[Pass]) -> None:
    table = Table("pass", "events", "seconds", "events/s", "p50 ms", "p99 ms", "sent again after 429 or 503")
    for name, done in zip(("first", "again"), passes, strict=True):
        percent = quantiles((one.seconds * 1000 for one in done.sent), n=100)
        table.add_row(
            name,
            f"{len(done.sent):,}",
            f"{done.seconds:.1f}",
            f"{len(done.sent) / done.seconds:,.0f}",
            f"{percent[49]:.1f}",
            f"{percent[98]:.1f}",
            str(sum(one.tries - 1 for one in done.sent)),
        )
    console.print(table)


def _show_checks(checks: list[Check]) -> None:
    table = Table("check", "compared", "different")
    for check in checks:
        table.add_row(check.name, f"{check.total:,}", f"[red]{check.failed:,}[/red]" if check.failed else "0")
    console.print(table)
    for check in checks:
        for example in check.examples:
            console.print(f"[red]{check.name}[/red] {example}", highlight=False, markup=True)
    passed = sum(not check.failed for check in checks)
    console.print(f"{passed} of {len(checks)} checks passed")


if __name__ == "__main__":
    typer.run(main)
