"""A descriptor of a file that SQLite has open.

Closing any descriptor of a file drops every lock that this process has on it, also those that SQLite took through
other descriptors. So there is one for all stores of a file in this process, and it is closed with the last of them.
"""

import os
import threading
from pathlib import Path

_lock = threading.Lock()
_open: dict[tuple[int, int], tuple[int, int]] = {}  # (device, inode) -> (descriptor, users)


class Descriptor:
    """A share in the one descriptor of the file at `path`; `number` may be used until `close`."""

    def __init__(self, path: Path) -> None:
        found = path.stat()
        self._key = (found.st_dev, found.st_ino)
        with _lock:
            number, users = _open.get(self._key, (-1, 0))
            self.number = number if users else os.open(path, os.O_RDWR | os.O_CLOEXEC)
            _open[self._key] = (self.number, users + 1)

    def close(self) -> None:
        """Release the share; call it once, after the connections that lock the file are closed."""
        with _lock:
            number, users = _open.pop(self._key)
            if users > 1:
                _open[self._key] = (number, users - 1)
            else:
                os.close(number)
