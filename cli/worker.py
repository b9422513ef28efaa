"""A worker of `headrace serve --workers N`: a process that serves on a socket which its parent has bound for it.

Only the parent starts it (see `workers`). The first line of its standard input is its configuration, as JSON.
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

from cli.admin_key import server_key
from cli.console import Console
from cli.logging import configure_logging
from cli.server import STOP_SECONDS, application, run
from cli.shared_ledger import shared_ledger
from cli.spool import opened_spool
from cli.store import CommandError, load_and_report, report_error
from engine.tracking.unit.families import Names
from flows.project import LoadedProject
from storage import open_store

STDIN = 0

log = structlog.get_logger("headrace.worker")


class WorkerConfig(Struct, frozen=True):
    """The configuration of a worker. `version` is that of the project which its parent has loaded."""

    number: int
    root: str
    version: str
    store: str
    socket: int  # the descriptor of the inherited socket
    ledger: int  # the descriptor of the inherited file of the ledger
    spool: str | None = None  # the folder of the server's spools
    workers: int = 1
    names: Names = Names()  # of the labels of metrics


def main() -> int:
    """Serve until a stop signal comes or the parent exits. Returns the exit code."""
    config = msgspec.json.decode(_read_line(), type=WorkerConfig)
    configure_logging(sys.stderr, worker=config.number)
    threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    with socket.socket(fileno=config.socket) as listening:
        try:
            loaded = load_and_report(Path(config.root), Console(stderr=True, quiet=True), whole=True)
        except CommandError as error:
            return report_error(Console(stderr=True), str(error))
        if project_version(loaded) != config.version:
            log.warning("the project has changed since the server started: this worker serves it as it is now")
        try:
            return _serve(loaded, config, listening)
        except CommandError as error:
            return report_error(Console(stderr=True), str(error))


def _serve(loaded: LoadedProject, config: WorkerConfig, listening: socket.socket) -> int:
    with opened_spool(None if config.spool is None else Path(config.spool)) as spool:
        # Worker 1 runs the periodic upkeep for all; if it dies, the process that replaces it does.
        store = open_store(config.store, Path(config.root))
        key = server_key(Path(config.root), os.environ)
        ledger = shared_ledger(config.ledger, config.number, config.workers, config.names)
        app = application(loaded, store, key, keeps_up=config.number == 1, spool=spool, ledger=ledger)
        return 0 if run(app, listening, _log_started) else 1


def _log_started() -> None:
    log.info("the worker serves", pid=os.getpid())


def project_version(loaded: LoadedProject) -> str:
    """A hash of all files of a project, and of the versions of the packages that its own nodes come from."""
    return sha256(msgspec.json.encode((loaded.sources, loaded.packages), order="sorted")).hexdigest()


def _read_line() -> bytes:
    """The first line of standard input, read without a buffer: another thread reads what follows."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(STDIN, 1)
        if not byte:
            break
        line += byte
    return bytes(line)


def _stop_with_parent() -> None:
    """Stop when standard input ends. The parent keeps its other end open, so the end means that the parent died."""
    while os.read(STDIN, 1):
        pass
    log.warning("the parent process has exited, the worker stops")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS + 5)
    os._exit(1)  # the parent can no longer kill a worker that hangs


if __name__ == "__main__":
    sys.exit(main())
