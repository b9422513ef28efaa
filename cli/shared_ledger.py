"""The ledger and the meter of a server with workers: a file without a name, mapped into memory by each worker.

The parent makes it: first the slots of the ledger, then those of the meter. It keeps the file, so the counts of a
worker that dies stay, and the worker that replaces it counts on.
"""

import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile

from cli.store import CommandError
from engine.tracking.unit.families import Names, slot_cells
from engine.tracking.unit.ledger import SLOT_BYTES, Ledger
from engine.tracking.unit.meter import CELL_BYTES, Meter


@contextmanager
def ledger_file(workers: int, names: Names) -> Iterator[int]:
    """Make the file for so many workers of a project with these names. Raises `CommandError`.

    Yields its descriptor, which the workers inherit.
    """
    with ExitStack() as opened:
        try:
            file = opened.enter_context(TemporaryFile())
            file.write(bytes((SLOT_BYTES + CELL_BYTES * slot_cells(names)) * workers))
            file.flush()
        except OSError as error:
            message = f"The workers' counters cannot be kept in the folder for temporary files: {error.strerror}."
            raise CommandError(f"{message} Set TMPDIR to a folder with room.") from error
        yield file.fileno()


def shared_ledger(descriptor: int, worker: int, workers: int, names: Names) -> Ledger:
    """Return the ledger of a worker, numbered from 1, with its meter, on the inherited file."""
    memory, counters = memoryview(mmap.mmap(descriptor, 0)), SLOT_BYTES * workers
    meter = Meter(names, memory[counters:], worker - 1)
    return Ledger(memory[:counters], worker - 1, meter)
