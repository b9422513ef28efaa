"""`headrace serve`: load the project, open the store, listen."""

import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from rich.console import Console

import nodes
from api.app import create_app
from api.connection import Connection
from api.front import front
from cli.logging import configure_logging
from engine.tracking.ports import Store
from engine.tracking.project import Project
from flows.diagnostic import render
from flows.files import SETTINGS
from flows.project import Loaded, load_project
from storage import UnknownStore, open_store
from storage.sqlite.lock import Held, lock_file

DEFAULT_STORE = "sqlite:headrace.db"
# How long the event loop may keep the interpreter while the writer thread waits for it. The writer's work is done
# without the interpreter, so it loses little; the usual 5 ms cost a seventh of the rate in switching back and forth.
SWITCH_SECONDS = 0.05
STOP_SECONDS = 15  # for requests that are under way when the server is asked to stop: look-ups answer within 10
MOST_CONNECTIONS = 10_000  # beyond, requests are answered 503


@dataclass(frozen=True)
class Place:
    """Where to listen and where to keep data."""

    host: str
    port: int
    store: str | None
    open_sources: bool


class Server(uvicorn.Server):
    """A server whose process ends well when it was asked to stop: a signal is not raised again afterwards."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; at the second one without waiting for requests."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(root: Path, place: Place, console: Console) -> int:
    """Serve the project at `root` until told to stop. Exit code 2 when it cannot begin."""
    configure_logging(sys.stderr)
    if not root.is_dir():
        return _cannot(console, f"{root} is not a directory. `headrace init {root}` makes a project there.")
    loaded = load_project(root, nodes.builtin())
    if loaded.diagnostics:
        console.print(
            render(loaded.diagnostics, loaded.sources, colour=False), markup=False, highlight=False, soft_wrap=True
        )
    project = loaded.project
    if any(d.file == SETTINGS and d.severity == "error" for d in loaded.diagnostics):
        return _cannot(console, f"{SETTINGS} has errors (see above), so it is not known where to keep data.")
    if not project.sources:
        return _cannot(console, f"{root} has no source that can be served: without one, no event is taken.")
    trusting = sorted(s.source for s in project.sources.values() if s.kind == "public" and s.identify == "trust")
    if trusting and not is_loopback(place.host) and not place.open_sources:
        told = f"Source {', '.join(trusting)} trusts everybody, and {place.host} is not loopback."
        return _cannot(console, told + " Set `identify: link` in its file, or say --open-sources.")
    url = place.store or project.settings.store or DEFAULT_STORE
    try:
        with ExitStack() as held:
            kind, _, path = url.partition(":")
            if kind == "sqlite":
                held.enter_context(lock_file(root / (path or "headrace.db")))
            return listen(loaded, open_store(url, root), place, console)
    except (UnknownStore, Held) as wrong:
        return _cannot(console, str(wrong))
    except OSError as wrong:
        told = f"Cannot listen on {place.host}:{place.port}: {wrong.strerror}."
        taken = wrong.errno == errno.EADDRINUSE
        return _cannot(console, told + (" Say --port 0 for any port that is free." if taken else ""))


def listen(loaded: Loaded, store: Store, place: Place, console: Console) -> int:
    """Listen, say where, and serve until a signal comes."""
    project = loaded.project
    broken = tuple(sorted({d.file for d in loaded.diagnostics if d.severity == "error"}))
    app = create_app(
        project,
        store,
        broken=broken,
        reading_key=os.environ.get("HEADRACE_ADMIN_KEY"),
        loopback=is_loopback(place.host),
    )
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((place.host, place.port))
        shown = f"[{place.host}]" if family == socket.AF_INET6 else place.host
        address = f"http://{shown}:{listening.getsockname()[1]}"
        _greet(console, project, broken, address)
        config = uvicorn.Config(
            front(app),
            loop="uvloop",
            http=Connection,
            ws="none",
            lifespan="on",
            limit_concurrency=MOST_CONNECTIONS,
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
        server = Server(config)
        server.run(sockets=[listening])
    console.print("Stopped. Everything that was acknowledged is stored.")
    return 0 if server.started else 1


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _greet(console: Console, project: Project, broken: tuple[str, ...], address: str) -> None:
    names = ", ".join(flow.name for flow in project.flows) or "none"
    console.print(
        f"[bold]Headrace[/] serves {project.name or 'the project'} on {address}", highlight=False, soft_wrap=True
    )
    console.print(f"  flows     {len(project.flows)}: {names}", highlight=False, soft_wrap=True)
    console.print(f"  sources   {', '.join(sorted(project.sources))}", highlight=False, soft_wrap=True)
    for name, path in (("track", "/track"), ("API", "/schema"), ("health", "/health/ready")):
        console.print(f"  {name:<9} {address}{path}", highlight=False, soft_wrap=True)
    for file in broken:
        console.print(
            f"  [red]not served[/] {file}: it has errors (see above); everything else is",
            highlight=False,
            soft_wrap=True,
        )


def _cannot(console: Console, told: str) -> int:
    console.print(f"[red]{told}[/]", highlight=False, soft_wrap=True)
    return 2
