"""`headrace retention`: drops events, runs and rejected events that are too old, or counts them."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.progress import Progress

from cli.store import (
    CommandError,
    exclusive_access,
    load_and_report,
    opened_store,
    report_error,
    require_stored_data,
    store_url,
    without_credentials,
)
from effects.clock import SystemClock
from engine.language.duration import show_duration
from engine.ports.kinds import RETAINED
from engine.project.retention import Dropped, Retention

SERVED = "it drops by itself, once a day, what is kept no longer; stop it to have it done now, or say --dry-run"
EXAMPLE = "retention: {events: 400d, runs: 30d, rejected: 90d}"


class RetentionJob(Struct, frozen=True):
    """The records to drop, and the store to drop them from. `now` is in ms; a `dry_run` only counts."""

    url: str
    root: Path
    retention: Retention
    now: int
    dry_run: bool


def retention(root: Path, store: str | None, dry_run: bool, console: Console, error: Console) -> int:
    """Drop what is too old, and print how much. Exit code 2 when the store cannot be used or is being served."""
    try:
        loaded = load_and_report(root, error, whole=False)
        ages = loaded.project.settings.retention
        if not ages:
            message = f"Everything is kept for ever. To change that, write in headrace.yaml, for example:\n  {EXAMPLE}"
            console.print(message, markup=False, highlight=False, soft_wrap=True)
            return 0
        job = RetentionJob(store_url(loaded, store), root, ages, SystemClock().now(), dry_run)
        require_stored_data(job.url, root)
        with nullcontext() if dry_run else exclusive_access(job.url, root, SERVED):
            dropped = asyncio.run(_run(job, error))
    except CommandError as failure:
        return report_error(error, str(failure))
    _print_report(job, dropped, console)
    return 0


async def _run(job: RetentionJob, console: Console) -> Dropped:
    """Drop the expired records with a progress bar, or only count them. Returns their numbers by kind."""
    keep = job.retention.keep(job.now)
    async with opened_store(job.url, job.root) as store:
        expired = await store.expired(keep)
        if job.dry_run or not expired.total():
            return expired
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("Dropping", total=expired.total())
            return await store.retain(keep, lambda so_far: progress.update(bar, completed=so_far.total()))


def _print_report(job: RetentionJob, dropped: Dropped, console: Console) -> None:
    console.print(f"Retention of {without_credentials(job.url)}", markup=False, highlight=False, soft_wrap=True)
    verb = "would be dropped" if job.dry_run else "dropped"
    for kind in RETAINED:
        age = job.retention.of(kind)
        text = "kept for ever"
        if age is not None:
            before = f"{datetime.fromtimestamp((job.now - age) / 1000, UTC):%Y-%m-%d %H:%M} UTC"
            text = f"{dropped[kind]:,} {verb}: older than {show_duration(age)}, from before {before}"
        console.print(f"  {kind:<9} {text}", markup=False, highlight=False, soft_wrap=True)
    if job.dry_run and dropped.total():
        console.print("Nothing was dropped. Run this without --dry-run to drop them.")
