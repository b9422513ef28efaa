"""`headrace profile export`: writes all that is stored of a profile to one archive."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TypeVar
from urllib.parse import quote

from rich.console import Console

from api.export_archive import NoArchive, documents_in, write_archive
from cli.call import download
from cli.location import DataLocation, project_and_store
from cli.store import CommandError, opened_store, report_error, report_not_found
from effects.clock import SystemClock
from engine.ports.resolve import NotFound

T = TypeVar("T")


def export(id: str, to: Path, location: DataLocation, console: Console, error: Console) -> int:
    """Write the archive to the new file `to`, readable by its owner only. Exit code 1 when no profile has the id."""
    try:
        if to.exists():
            raise CommandError(f"{to} already exists: name another file with --output.")
        counts = _write_new(to, lambda file: _export(id, file, location, error))
    except NotFound as not_found:
        return report_not_found(error, not_found)
    except CommandError as failure:
        return report_error(error, str(failure))
    listed = ", ".join(f"{name.partition('.')[0]} {count}" for name, count in counts.items())
    console.print(f"Written to {to}: {listed}.", markup=False, highlight=False, soft_wrap=True)
    return 0


def _export(id: str, file: IO[bytes], location: DataLocation, error: Console) -> dict[str, int]:
    """Write the archive. Returns the number of documents by file of it. Raises `NotFound` and `CommandError`."""
    _write_archive(id, file, location, error)
    try:
        return documents_in(file)
    except NoArchive as cause:
        raise CommandError(f"{location.url} did not answer with an archive.") from cause


def _write_archive(id: str, file: IO[bytes], location: DataLocation, error: Console) -> None:
    if (server := location.server()) is not None:
        download(server, f"/profiles/{quote(id, safe='')}/export", file)
        return
    project, url = project_and_store(location, error)

    async def read() -> None:
        async with opened_store(url, location.root) as store:
            await write_archive(file, store, project, id, SystemClock().now())

    asyncio.run(read())


def _write_new(to: Path, write: Callable[[IO[bytes]], T]) -> T:
    """Write a file atomically: `to` holds all that `write` wrote, or does not exist. Returns the result of `write`.

    Raises `CommandError` when the file cannot be written, and what `write` raises.
    """
    try:
        with NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}.", delete=False) as file:
            try:
                result = write(file)
                file.flush()
                os.rename(file.name, to)
                return result
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as cause:
        raise CommandError(f"{to} cannot be written: {cause.strerror}.") from cause
