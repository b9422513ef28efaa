"""A worker of `headrace serve --workers N`: a process that serves on a socket which its parent has bound for it.

Nobody calls it by hand: the parent begins it (see `workers`) and tells it on its standard input what to do.
"""

import os
import signal
import socket
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct
from rich.console import Console

from cli.logging import configure_logging
from cli.server import STOP_SECONDS, application, run
from cli.spool import spool_in
from cli.store import CannotStart, cannot, load
from flows.project import LoadedProject
from storage import open_store

STDIN = 0

log = structlog.get_logger("headrace.worker")


class Orders(Struct, frozen=True):
    """What a worker is told. `version` is that of the project which its parent has read."""

    number: int
    root: str
    version: str
    store: str
    host: str
    socket: int  # the descriptor that it has inherited
    spool: str | None = None  # the folder of the server's spools


def main() -> int:
    """Serve until told to stop, or until the parent has gone."""
    orders = msgspec.json.decode(_line(), type=Orders)
    configure_logging(sys.stderr, worker=orders.number)
    threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    with socket.socket(fileno=orders.socket) as listening:
        try:
            loaded = load(Path(orders.root), Console(stderr=True, quiet=True), whole=True)
        except CannotStart as error:
            return cannot(Console(stderr=True), str(error))
        if version_of(loaded) != orders.version:
            log.warning("the project has changed since the server began: this worker serves it as it is now")
        try:
            return _serve(loaded, orders, listening)
        except CannotStart as error:
            return cannot(Console(stderr=True), str(error))


def _serve(loaded: LoadedProject, orders: Orders, listening: socket.socket) -> int:
    with spool_in(None if orders.spool is None else Path(orders.spool)) as spool:
        # The upkeep is done by one of them; its successor does it should it die.
        store = open_store(orders.store, Path(orders.root))
        app = application(loaded, store, orders.host, keeps_up=orders.number == 1, spool=spool)
        return 0 if run(app, listening, _serves) else 1


def _serves() -> None:
    log.info("the worker serves", pid=os.getpid())


def version_of(loaded: LoadedProject) -> str:
    """A hash of everything that was read of a project."""
    return sha256(msgspec.json.encode(loaded.sources, order="sorted")).hexdigest()


def _line() -> bytes:
    """The first line of standard input, and no byte more: what follows is read by another thread, unbuffered."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(STDIN, 1)
        if not byte:
            break
        line += byte
    return bytes(line)


def _stop_with_parent() -> None:
    """The parent holds the other end of standard input as long as it lives, and writes nothing more."""
    while os.read(STDIN, 1):
        pass
    log.warning("the parent has gone, the worker stops")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS + 5)
    os._exit(1)  # nobody is left to end a worker that hangs


if __name__ == "__main__":
    sys.exit(main())
