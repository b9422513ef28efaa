"""The ledger of a server with workers: a file without a name, made by the parent and mapped into memory by each worker.

The parent keeps the file, so the counts of a worker that dies stay, and the worker that replaces it counts on.
"""

import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile

from cli.store import CommandError
from engine.tracking.unit.ledger import SLOT_BYTES, Ledger


@contextmanager
def ledger_file(workers: int) -> Iterator[int]:
    """Make the file for so many workers. Yields its descriptor, which the workers inherit. Raises `CommandError`."""
    with ExitStack() as opened:
        try:
            file = opened.enter_context(TemporaryFile())
            file.write(bytes(SLOT_BYTES * workers))
            file.flush()
        except OSError as error:
            message = f"The workers' counters cannot be kept in the folder for temporary files: {error.strerror}."
            raise CommandError(f"{message} Set TMPDIR to a folder with room.") from error
        yield file.fileno()


def shared_ledger(descriptor: int, worker: int) -> Ledger:
    """Return the ledger of a worker, numbered from 1, on the inherited file."""
    return Ledger(memoryview(mmap.mmap(descriptor, 0)), worker - 1)
