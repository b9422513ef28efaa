"""A folder of spool files, one for each process that serves; a lock beside each says that its process lives."""

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
    """The spool of this process: the first file that nobody has, with what others who are gone have left in theirs.

    Whoever uses it closes it before. Raises `storage.spool.file.UnusableSpool` and `Unavailable`.
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
    """Take over what is left in a file, unless its process lives."""
    with suppress(LockedByOther), lock_file(path), closing(SpoolFile(path)) as left:
        move(left, file)
