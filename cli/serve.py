"""`headrace serve`: load the project, see to the store, listen; in one process or in several."""

import asyncio
import errno
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from cli.logging import configure_logging
from cli.server import application, broken, is_loopback, run
from cli.spool import folder_of, spool_in
from cli.store import SHARED, CannotStart, StoreAway, alone, cannot, kind_of, load, migrate, shown, url_of
from cli.worker import Orders, version_of
from cli.workers import COMMAND, Workers, supervise
from flows.project import LoadedProject
from storage import open_store

STOPPED = "Stopped. Everything that was acknowledged is stored."


@dataclass(frozen=True)
class Listener:
    """Where to listen and where to keep data."""

    host: str
    port: int
    store: str | None
    open_sources: bool
    workers: int = 1
    spool: Path | None = None


def serve(root: Path, place: Listener, console: Console) -> int:
    """Serve the project at `root` until told to stop. Exit code 2 when it cannot begin."""
    configure_logging(sys.stderr)
    try:
        loaded = load(root, console, whole=True)
        _check_sources(loaded, root, place)
        url = url_of(loaded, place.store)
        _check_shared(url, place.workers)
        with alone(url, root), _bound_first(place) as listening:
            spools = folder_of(loaded.project.settings, root, place.spool)
            done = _migrated(url, root, spools)
            _greet(console, loaded, place, _address(place, listening))
            for words in done:
                console.print(f"  store     {words}", markup=False, highlight=False, soft_wrap=True)
            if place.workers == 1:
                with spool_in(spools) as spool:
                    app = application(loaded, open_store(url, root), place.host, spool=spool)
                    code = 0 if run(app, listening) else 1
            else:
                code = asyncio.run(_supervised(root, loaded, url, spools, place, listening))
    except CannotStart as error:
        return cannot(console, str(error))
    if code != 2:
        console.print(STOPPED if code == 0 else "Ended. Everything that was acknowledged is stored.")
    return code


def _migrated(url: str, root: Path, spools: Path | None) -> list[str]:
    """What was done to the store, in words. With a spool it may be away: then its first worker sees to it later."""
    try:
        return asyncio.run(migrate(url, root))
    except StoreAway as away:
        if spools is None:
            raise
        return [f"{away} Until then payloads wait in {spools}."]


async def _supervised(
    root: Path, loaded: LoadedProject, url: str, spools: Path | None, place: Listener, listening: socket.socket
) -> int:
    """Serve by workers. `listening` is never listened on: it keeps the port while no worker has it."""
    version, port = version_of(loaded), listening.getsockname()[1]

    def orders(number: int, descriptor: int) -> bytes:
        spool = None if spools is None else str(spools)
        told = Orders(number, str(root.resolve()), version, url, place.host, descriptor, spool)
        return msgspec.json.encode(told)

    return await supervise(Workers(COMMAND, place.workers, lambda: bound(place, port), orders))


def _check_sources(loaded: LoadedProject, root: Path, place: Listener) -> None:
    sources = loaded.project.sources
    if not sources:
        raise CannotStart(f"{root} has no source that can be served: without one, no event is taken.")
    trusting = sorted(s.source for s in sources.values() if s.kind == "public" and s.identify == "trust")
    if trusting and not is_loopback(place.host) and not place.open_sources:
        told = f"Source {', '.join(trusting)} trusts everybody, and {place.host} is not loopback."
        raise CannotStart(told + " Set `identify: link` in its file, or say --open-sources.")


def _check_shared(url: str, workers: int) -> None:
    kind = kind_of(url)
    if workers == 1 or kind in SHARED:
        return
    why = {
        "memory": "What is in memory belongs to one process",
        "sqlite": "A SQLite file is served by one process, which writes for all",
    }.get(kind, f"Several processes cannot share the store {shown(url)}")
    told = f"{why}, so --workers {workers} needs another store: --store elasticsearch:http://HOST:9200."
    raise CannotStart(f"{told} Or leave --workers out.")


def bound(place: Listener, port: int | None = None) -> socket.socket:
    """A socket at the place's address, on which nobody listens yet. `port`: one of several sockets at this port.

    Without it, an address where somebody listens is refused, even though several could share it.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((place.host, place.port if port is None else port))
        if place.workers > 1:  # others may bind it from now on, too
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        listening.close()
        raise
    return listening


def _bound_first(place: Listener) -> socket.socket:
    try:
        return bound(place)
    except OSError as error:
        told = f"Cannot listen on {place.host}:{place.port}: {error.strerror}."
        taken = " Say --port 0 for any port that is free." if error.errno == errno.EADDRINUSE else ""
        raise CannotStart(told + taken) from error


def _address(place: Listener, listening: socket.socket) -> str:
    host = f"[{place.host}]" if listening.family == socket.AF_INET6 else place.host
    return f"http://{host}:{listening.getsockname()[1]}"


def _greet(console: Console, loaded: LoadedProject, place: Listener, address: str) -> None:
    project = loaded.project
    names = ", ".join(flow.name for flow in project.flows) or "none"
    console.print(
        f"[bold]Headrace[/] serves {project.name or 'the project'} on {address}", highlight=False, soft_wrap=True
    )
    console.print(f"  flows     {len(project.flows)}: {names}", highlight=False, soft_wrap=True)
    console.print(f"  sources   {', '.join(sorted(project.sources))}", highlight=False, soft_wrap=True)
    if place.workers > 1:
        console.print(f"  workers   {place.workers} processes", highlight=False, soft_wrap=True)
    for name, path in (("track", "/track"), ("API", "/schema"), ("health", "/health/ready")):
        console.print(f"  {name:<9} {address}{path}", highlight=False, soft_wrap=True)
    for file in broken(loaded):
        console.print(
            f"  [red]not served[/] {file}: it has errors (see above); everything else is",
            highlight=False,
            soft_wrap=True,
        )
