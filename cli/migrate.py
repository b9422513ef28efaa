"""`headrace migrate`: creates or upgrades the schema of a project's store."""

import asyncio
from pathlib import Path

from rich.console import Console

from cli.store import CommandError, exclusive_access, load_and_report, report_error, store_url, without_credentials
from cli.store import migrate as migrate_store


def migrate(root: Path, store: str | None, console: Console, error: Console) -> int:
    """Upgrade the store and print each change. Exit code 2 when it cannot be used, or another process serves it."""
    try:
        url = store_url(load_and_report(root, error, whole=False), store)
        with exclusive_access(url, root), error.status("Checking the store …"):
            changes = asyncio.run(migrate_store(url, root))
    except CommandError as failure:
        return report_error(error, str(failure))
    for change in changes:
        console.print(f"  {change}", markup=False, highlight=False, soft_wrap=True)
    state = "is ready." if changes else "is up to date: nothing to do."
    console.print(f"{without_credentials(url)} {state}", markup=False, highlight=False, soft_wrap=True)
    return 0
