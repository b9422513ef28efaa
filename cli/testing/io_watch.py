"""Finds input and output of code that must not do any: by the audit events of Python."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_DOING: Final = {
    "open": "opens a file",
    "os.listdir": "lists a directory",
    "os.remove": "removes a file",
    "os.system": "runs a command",
    "socket.connect": "connects to another system",
    "socket.getaddrinfo": "resolves a host's name",
    "sqlite3.connect": "opens a database",
    "subprocess.Popen": "runs a command",
}


class _Watch(threading.local):
    """The actions of the code of this thread; None while it is not watched."""

    found: list[str] | None = None


_watch: Final = _Watch()
_installed: Final[list[bool]] = []  # a hook cannot be removed, so there is one at most


@contextmanager
def watched_io() -> Iterator[list[str]]:
    """Add to the list what the code in the context does, such as "opens a file: /etc/hosts"."""
    if not _installed:
        sys.addaudithook(_audit)
        _installed.append(True)
    found: list[str] = []
    _watch.found = found
    try:
        yield found
    finally:
        _watch.found = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _DOING and _watch.found is not None:
        found, _watch.found = _watch.found, None  # what follows is not watched
        detail = arguments[1] if event == "socket.connect" else arguments[0] if arguments else ""
        found.append(f"{_DOING[event]}: {detail}")
        _watch.found = found
