"""`headrace migrate`: create or upgrade what the store of a project rests on."""

import asyncio
from pathlib import Path

from rich.console import Console

from cli.store import CannotStart, alone, cannot, load, shown, url_of
from cli.store import migrate as done_by


def migrate(root: Path, store: str | None, console: Console, error: Console) -> int:
    """Say what was done. Exit code 2 when the store cannot be used now, or another process serves it."""
    try:
        url = url_of(load(root, error, whole=False), store)
        with alone(url, root), error.status("Looking at the store …"):
            done = asyncio.run(done_by(url, root))
    except CannotStart as refused:
        return cannot(error, str(refused))
    for words in done:
        console.print(f"  {words}", markup=False, highlight=False, soft_wrap=True)
    told = f"{shown(url)} is ready." if done else f"{shown(url)} is up to date: nothing to do."
    console.print(told, markup=False, highlight=False, soft_wrap=True)
    return 0
