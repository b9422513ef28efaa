"""`headrace profile export`: all that is stored of a profile, as one archive."""

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
from cli.profile import Where, stored
from cli.store import CannotStart, cannot, missing, opened
from effects.clock import SystemClock
from engine.ports.resolve import NotFound

T = TypeVar("T")


def export(id: str, to: Path, where: Where, console: Console, error: Console) -> int:
    """Write the archive to a new file, readable by its owner only. Exit code 1 when nobody has the id."""
    try:
        if to.exists():
            raise CannotStart(f"{to} is there already: name another file with --output.")
        told = _new(to, lambda file: _written(id, file, where, error))
    except NotFound as unknown:
        return missing(error, unknown)
    except CannotStart as refused:
        return cannot(error, str(refused))
    counted = ", ".join(f"{name.partition('.')[0]} {count}" for name, count in told.items())
    console.print(f"Written to {to}: {counted}.", markup=False, highlight=False, soft_wrap=True)
    return 0


def _written(id: str, file: IO[bytes], where: Where, error: Console) -> dict[str, int]:
    """Write the archive; gives how many documents each file of it has. Raises `NotFound` and `CannotStart`."""
    _write(id, file, where, error)
    try:
        return documents_in(file)
    except NoArchive as cause:
        raise CannotStart(f"{where.url} did not answer with an archive.") from cause


def _write(id: str, file: IO[bytes], where: Where, error: Console) -> None:
    if where.url is not None:
        download(where.url, f"/profiles/{quote(id, safe='')}/export", file)
        return
    project, url = stored(where, error)

    async def read() -> None:
        async with opened(url, where.root) as store:
            await write_archive(file, store, project, id, SystemClock().now())

    asyncio.run(read())


def _new(to: Path, write: Callable[[IO[bytes]], T]) -> T:
    """Write a file that is there when it is whole, or not at all; gives what `write` gives. Raises `CannotStart`."""
    try:
        with NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}.", delete=False) as file:
            try:
                given = write(file)
                file.flush()
                os.rename(file.name, to)
                return given
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as cause:
        raise CannotStart(f"{to} cannot be written: {cause.strerror}.") from cause
