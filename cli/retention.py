"""`headrace retention`: drop what a project keeps no longer, or say what would go."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.progress import Progress

from cli.store import CannotStart, alone, cannot, file_of, kind_of, load, opened, shown, url_of
from effects.clock import SystemClock
from engine.language.duration import show_duration
from engine.ports.kinds import RETAINED
from engine.project.retention import Dropped, Retention

SERVED = "it drops by itself, once a day, what is kept no longer; stop it to have it done now, or say --dry-run"
EXAMPLE = "retention: {events: 400d, runs: 30d, rejected: 90d}"


class Task(Struct, frozen=True):
    """What is to be done where. `dry`: nothing is dropped."""

    url: str
    root: Path
    retention: Retention
    now: int
    dry: bool


def retention(root: Path, store: str | None, dry: bool, console: Console, error: Console) -> int:
    """Drop it, and say how much. Exit code 2 when the store cannot be used now, or another process serves it."""
    try:
        loaded = load(root, error, whole=False)
        kept = loaded.project.settings.retention
        if not kept:
            told = f"Everything is kept for ever. To change that, write in headrace.yaml, for example:\n  {EXAMPLE}"
            console.print(told, markup=False, highlight=False, soft_wrap=True)
            return 0
        task = Task(url_of(loaded, store), root, kept, SystemClock().now(), dry)
        _check(task)
        with nullcontext() if dry else alone(task.url, root, SERVED):
            dropped = asyncio.run(_done(task, error))
    except CannotStart as refused:
        return cannot(error, str(refused))
    _tell(task, dropped, console)
    return 0


def _check(task: Task) -> None:
    if kind_of(task.url) == "memory":
        raise CannotStart("`memory:` holds nothing when no server runs; name the store that yours uses by --store.")
    file = file_of(task.url, task.root)
    if file is not None and not file.exists():
        raise CannotStart(f"There is no store at {file}. Name the one that your server uses by --store.")


async def _done(task: Task, console: Console) -> Dropped:
    keep = task.retention.keep(task.now)
    async with opened(task.url, task.root) as store:
        expired = await store.expired(keep)
        if task.dry or not expired.total():
            return expired
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("Dropping", total=expired.total())
            return await store.retain(keep, lambda gone: progress.update(bar, completed=gone.total()))


def _tell(task: Task, dropped: Dropped, console: Console) -> None:
    console.print(f"Retention of {shown(task.url)}", markup=False, highlight=False, soft_wrap=True)
    done = "would be dropped" if task.dry else "dropped"
    for kind in RETAINED:
        age = task.retention.of(kind)
        words = "kept for ever"
        if age is not None:
            before = datetime.fromtimestamp((task.now - age) / 1000, UTC)
            words = (
                f"{dropped[kind]:,} {done}: older than {show_duration(age)}, from before {before:%Y-%m-%d %H:%M} UTC"
            )
        console.print(f"  {kind:<9} {words}", markup=False, highlight=False, soft_wrap=True)
    if task.dry and dropped.total():
        console.print("Nothing was dropped. Say it without --dry-run to drop them.")
