"""One process that serves: the application on a socket that is bound already, until a signal comes."""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import uvicorn
from litestar import Litestar

from api.app import create_app
from api.connection import Connection
from api.front import front
from engine.ports.spool import Spool
from engine.ports.store import Store
from flows.project import LoadedProject

# How long the event loop may keep the interpreter while the writer thread waits for it. The writer's work is done
# without the interpreter, so it loses little; the usual 5 ms cost a seventh of the rate in switching back and forth.
SWITCH_SECONDS = 0.05
STOP_SECONDS = 15  # for requests that are under way when the server is asked to stop: look-ups answer within 10
MAX_CONNECTIONS = 10_000  # beyond, requests are answered 503


class Server(uvicorn.Server):
    """A server whose process ends well when it was asked to stop: a signal is not raised again afterwards.

    `began` is called when clients are let in.
    """

    def __init__(self, config: uvicorn.Config, began: Callable[[], None]) -> None:
        super().__init__(config)
        self._began = began

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        self._began()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT, SIGTERM and SIGHUP; at a second SIGINT without waiting for requests."""
        before = {number: signal.signal(number, self.handle_exit) for number in stop_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def stop_signals() -> list[signal.Signals]:
    """The signals at which a server stops; a hang-up is not among them where it is ignored, as under `nohup`."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]


def application(
    loaded: LoadedProject, store: Store, host: str, *, keeps_up: bool = True, spool: Spool | None = None
) -> Litestar:
    """The application of a project that is served on `host`."""
    return create_app(
        loaded.project,
        store,
        broken=broken(loaded),
        reading_key=os.environ.get("HEADRACE_ADMIN_KEY"),
        loopback=is_loopback(host),
        keeps_up=keeps_up,
        spool=spool,
    )


def broken(loaded: LoadedProject) -> tuple[str, ...]:
    """The project's files that are not served."""
    return tuple(sorted({d.file for d in loaded.diagnostics if d.severity == "error"}))


def run(app: Litestar, listening: socket.socket, began: Callable[[], None] = lambda: None) -> bool:
    """Serve until a signal comes; whether it ever began. `began` is called when it does."""
    config = uvicorn.Config(
        front(app),
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        limit_concurrency=MAX_CONNECTIONS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    gc.collect()
    gc.freeze()  # what was loaded stays: the collector need not look at it again
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(config, began)
    with suppress(SystemExit):  # with which it ends when the application could not begin, and the log says why
        server.run(sockets=[listening])
    return server.started


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
