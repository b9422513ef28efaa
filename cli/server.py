"""One server process: runs the application on a socket that is bound already, until a signal stops it."""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from litestar import Litestar

from api.app import create_app
from api.connection import Connection
from api.front import front
from api.gate import Bounds
from api.sending import SendingRules
from api.telemetry.wanted import NotInstalled, telemetry_of
from cli.admin_key import AdminKey
from cli.descriptors import connections_within, raise_limit
from cli.store import CommandError
from engine.ports.spool import Spool
from engine.ports.store import Store
from engine.tracking.unit.ledger import Ledger
from flows.project import LoadedProject

if TYPE_CHECKING:
    from api.telemetry.telemetry import Telemetry

# How long the event loop may hold the interpreter lock while the writer thread waits for it. The writer does most of
# its work without that lock, so it loses little; switching at the default, 5 ms, costs a seventh of the rate.
SWITCH_SECONDS = 0.05
STOP_SECONDS = 15  # for running requests to finish after a stop signal: look-ups answer within 10


class Server(uvicorn.Server):
    """A server that exits with code 0 after a stop signal: uvicorn would raise the signal again.

    It calls `on_started` when it accepts connections, and `on_stopping` before it waits for running requests.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None], on_stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: take no more connections, and wait for running requests."""
        self._on_stopping()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT, SIGTERM or SIGHUP; a second SIGINT stops without waiting for running requests."""
        previous = {number: signal.signal(number, self.handle_exit) for number in stop_signals()}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def stop_signals() -> list[signal.Signals]:
    """The signals that stop a server. SIGHUP is not one of them where it is ignored, as under `nohup`."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]


def application(
    loaded: LoadedProject,
    store: Store,
    key: AdminKey,
    *,
    keeps_up: bool = True,
    spool: Spool | None = None,
    ledger: Ledger | None = None,
    sole: bool = False,
) -> Litestar:
    """The web application of a project, with its admin key.

    `keeps_up`: whether it runs the periodic upkeep; `sole`: whether the store serves no other process meanwhile.
    """
    return create_app(
        loaded.project,
        store,
        broken=broken_files(loaded),
        admin_key=key.value,
        keeps_up=keeps_up,
        spool=spool,
        ledger=ledger,
        bounds=Bounds(connections=connections_within(raise_limit())),
        rules=SendingRules(sole=sole),
        telemetry=_telemetry(),
    )


def _telemetry() -> "Telemetry | None":
    """Return what makes traces, if the environment asks for it. Raises `CommandError`."""
    try:
        return telemetry_of(os.environ)
    except NotInstalled as missing:
        raise CommandError(str(missing)) from missing


def broken_files(loaded: LoadedProject) -> tuple[str, ...]:
    """The names of the project's files with errors, which are not served."""
    return tuple(sorted({d.file for d in loaded.diagnostics if d.severity == "error"}))


def run(app: Litestar, listening: socket.socket, on_started: Callable[[], None] = lambda: None) -> bool:
    """Serve until a signal comes. Returns whether the server started; calls `on_started` when it does."""
    config = uvicorn.Config(
        front(app),
        loop="uvloop",
        http=partial(Connection, gate=app.state.gate),  # type: ignore[arg-type]  # called as a class would be
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    gc.collect()
    gc.freeze()  # the project and the modules live for ever: the collector skips them
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(config, on_started, app.state.live.streams.close)
    with suppress(SystemExit):  # uvicorn exits so when the application cannot start; the log says why
        server.run(sockets=[listening])
    return server.started
