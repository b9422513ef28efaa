"""`headrace migrate`: creates or upgrades the schema of a project's store, or tells what that would change."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from cli.store import (
    CommandError,
    exclusive_access,
    load_and_report,
    preview_migration,
    report_error,
    store_url,
    without_credentials,
)
from cli.store import migrate as migrate_store


def migrate(root: Path, store: str | None, dry_run: bool, console: Console, error: Console) -> int:
    """Upgrade the store and print each change; a `dry_run` only prints what would change.

    Exit code 2 when the store cannot be used, or another process serves it.
    """
    work = preview_migration if dry_run else migrate_store
    try:
        url = store_url(load_and_report(root, error, whole=False), store)
        with nullcontext() if dry_run else exclusive_access(url, root), error.status("Checking the store …"):
            changes = asyncio.run(work(url, root))
    except CommandError as failure:
        return report_error(error, str(failure))
    for change in changes:
        console.print(f"  {change}", markup=False, highlight=False, soft_wrap=True)
    ready = "was not changed. Run this without --dry-run to change it." if dry_run else "is ready."
    state = ready if changes else "is up to date: nothing to do."
    console.print(f"{without_credentials(url)} {state}", markup=False, highlight=False, soft_wrap=True)
    return 0
