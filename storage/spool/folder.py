"""A folder of spool files, one for each serving process; a process holds the lock beside its file as long as it lives.

A process that starts takes the first file without a holder, and moves the entries of all other files without a holder
to the end of its own. So the entries of a process that died are drained by the next one that starts.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from pathlib import Path

from storage.spool.bounds import USUAL, Bounds
from storage.spool.durable import DurableSpool
from storage.spool.file import SpoolFile, move
from storage.sqlite.lock import LockedByOther, lock_file


@contextmanager
def own_spool(folder: Path, bounds: Bounds = USUAL) -> Iterator[DurableSpool]:
    """Open the spool of this process: the first unlocked file, with the entries that ended processes left in theirs.

    The caller closes the spool before it leaves the context. Raises `storage.spool.file.UnusableSpool` and
    `Unavailable`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as opened:
        path = _first_free(folder, opened)
        file = opened.enter_context(closing(SpoolFile(path)))
        for other in sorted(folder.glob("*.spool")):
            if other != path:
                _adopt(other, file)
        yield DurableSpool(file, bounds)


def _first_free(folder: Path, opened: ExitStack) -> Path:
    for number in count(1):
        path = folder / f"{number}.spool"
        with suppress(LockedByOther):
            opened.enter_context(lock_file(path))
            return path
    raise AssertionError("there is always one more")


def _adopt(path: Path, file: SpoolFile) -> None:
    """Move the entries of another process's file into `file`, unless that process still holds its lock."""
    with suppress(LockedByOther), lock_file(path), closing(SpoolFile(path)) as left:
        move(left, file)
