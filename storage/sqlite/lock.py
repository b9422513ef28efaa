"""One serving process for a file: an advisory lock beside it, which the system releases when the holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LockedByOther(Exception):
    """Another process serves this store. `pid` is its process id; None if the lock file does not contain one."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{path} is being served by {holder}; stop it first, or serve another store")
        self.path = path
        self.pid = pid


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold the lock of the store at `path` (in `PATH.lock`).

    Raises `LockedByOther` at once if another process holds it.
    """
    beside = path.with_name(path.name + ".lock")
    beside.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedByOther(path, _pid(descriptor)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
        # The file stays: another process may have opened it meanwhile, and would then lock a removed file.
    finally:
        os.close(descriptor)


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0)
    return int(text) if text.isdigit() else None
