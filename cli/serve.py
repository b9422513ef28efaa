"""`headrace serve`: loads the project, upgrades the store, and listens; in one process or in several."""

import asyncio
import errno
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from api.access.users import Users
from api.accounts import SETUP
from cli.admin_key import AdminKey, server_key
from cli.logging import configure_logging
from cli.loopback import is_loopback
from cli.server import application, broken_files, run
from cli.shared_ledger import ledger_file
from cli.spool import opened_spool, spool_folder
from cli.store import (
    SHARED,
    CommandError,
    StoreUnavailable,
    exclusive_access,
    load_and_report,
    migrate,
    opened_store,
    report_error,
    store_kind,
    store_url,
    without_credentials,
)
from cli.worker import WorkerConfig, project_version
from cli.workers import COMMAND, Workers, supervise
from effects.clock import SystemClock
from engine.ports.store import Store
from engine.tracking.unit.families import Names
from flows.project import LoadedProject
from storage import open_store

STOPPED = "Stopped. Everything that was acknowledged is stored."
ENDED = "Ended. Everything that was acknowledged is stored."


@dataclass(frozen=True)
class ServeOptions:
    """Where to listen, where to keep data, and by how many processes to serve."""

    host: str
    port: int
    store: str | None
    open_sources: bool
    workers: int = 1
    spool: Path | None = None


def serve(root: Path, options: ServeOptions, console: Console) -> int:
    """Serve the project at `root` until a stop signal. Exit code 2 when the server cannot start, 1 when it failed."""
    configure_logging(sys.stderr)
    try:
        loaded = load_and_report(root, console, whole=True)
        _require_safe_sources(loaded, root, options)
        url = store_url(loaded, options.store)
        _require_shared_store(url, options.workers)
        key = server_key(root, os.environ)
        with exclusive_access(url, root), _bind_or_fail(options) as listening:
            spools = spool_folder(loaded.project.settings, root, options.spool)
            changes = _migrate(url, root, spools)
            store = open_store(url, root) if store_kind(url) == "memory" else None
            address = _address(options, listening)
            _print_start(console, loaded, options, address, key)
            _print_setup(console, address, _setup_secret(url, root, store))
            for change in changes:
                console.print(f"  store     {change}", markup=False, highlight=False, soft_wrap=True)
            if options.workers == 1:
                with opened_spool(spools) as spool:
                    sole = store_kind(url) not in SHARED  # the file is locked, or it is this process's memory
                    app = application(loaded, store or open_store(url, root), key, spool=spool, sole=sole)
                    code = 0 if run(app, listening) else 1
            else:
                code = asyncio.run(_run_workers(root, loaded, url, spools, options, listening))
    except CommandError as error:
        return report_error(console, str(error))
    if code != 2:
        console.print(STOPPED if code == 0 else ENDED)
    return code


def _migrate(url: str, root: Path, spools: Path | None) -> list[str]:
    """Upgrade the store; returns a line per change. With a spool the store may be away: a worker upgrades it later."""
    try:
        return asyncio.run(migrate(url, root))
    except StoreUnavailable as unavailable:
        if spools is None:
            raise
        return [f"{unavailable} Until then payloads wait in {spools}."]


def _setup_secret(url: str, root: Path, memory: Store | None) -> str | None:
    """Return the secret of the link that makes the first administrator; None if there are users, or no store now."""

    async def begin() -> str | None:
        if memory is not None:
            return await Users(memory, SystemClock()).begin_setup()
        async with opened_store(url, root, small=True) as store:
            return await Users(store, SystemClock()).begin_setup()

    try:
        return asyncio.run(begin())
    except StoreUnavailable:
        return None  # it can be made later, by `headrace user add`


def _print_setup(console: Console, address: str, secret: str | None) -> None:
    """Print where the console is, and the link to its first administrator if there is none."""
    lines = [f"  console   {address}/console"]
    if secret is not None:
        lines.append(f"  first user {address}{SETUP}{secret}")
        lines.append("            (this link makes an administrator: once, within 24 hours, and until the next start)")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _run_workers(
    root: Path, loaded: LoadedProject, url: str, spools: Path | None, options: ServeOptions, listening: socket.socket
) -> int:
    """Serve by worker processes. Nothing listens on `listening`: it reserves the port while no worker is bound."""
    version, port = project_version(loaded), listening.getsockname()[1]

    def configure(number: int, descriptor: int) -> bytes:
        spool = None if spools is None else str(spools)
        place = str(root.resolve())
        config = WorkerConfig(number, place, version, url, descriptor, ledger, spool, options.workers, names)
        return msgspec.json.encode(config)

    names = Names.of(loaded.project)  # of the labels of metrics: the same in all workers
    with ledger_file(options.workers, names) as ledger:
        workers = Workers(COMMAND, options.workers, lambda: bind(options, port), configure, shared=[ledger])
        return await supervise(workers)


def _require_safe_sources(loaded: LoadedProject, root: Path, options: ServeOptions) -> None:
    """Raise `CommandError` without a source, or when one trusts every sender at an address beyond this machine."""
    sources = loaded.project.sources
    if not sources:
        raise CommandError(f"{root} has no source that can be served: without one, no event is taken.")
    trusting = sorted(s.source for s in sources.values() if s.kind == "public" and s.identify == "trust")
    if trusting and not is_loopback(options.host) and not options.open_sources:
        message = f"Source {', '.join(trusting)} trusts everybody, and {options.host} is not loopback."
        raise CommandError(message + " Set `identify: link` in its file, or say --open-sources.")


def _require_shared_store(url: str, workers: int) -> None:
    """Raise `CommandError` when several processes are to serve a store that only one can."""
    kind = store_kind(url)
    if workers == 1 or kind in SHARED:
        return
    reason = {
        "memory": "What is in memory belongs to one process",
        "sqlite": "A SQLite file is served by one process, which writes for all",
    }.get(kind, f"Several processes cannot share the store {without_credentials(url)}")
    message = f"{reason}, so --workers {workers} needs another store: --store elasticsearch:http://HOST:9200."
    raise CommandError(f"{message} Or leave --workers out.")


def bind(options: ServeOptions, port: int | None = None) -> socket.socket:
    """A socket that is bound and does not listen yet. With `port`, it is one of several sockets at that port.

    Without `port`, an address in use raises `OSError`, even one that several sockets could share.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((options.host, options.port if port is None else port))
        if options.workers > 1:  # from now on the workers may bind the port, too
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        listening.close()
        raise
    return listening


def _bind_or_fail(options: ServeOptions) -> socket.socket:
    try:
        return bind(options)
    except OSError as error:
        message = f"Cannot listen on {options.host}:{options.port}: {error.strerror}."
        remedy = " Say --port 0 for any port that is free." if error.errno == errno.EADDRINUSE else ""
        raise CommandError(message + remedy) from error


def _address(options: ServeOptions, listening: socket.socket) -> str:
    host = f"[{options.host}]" if listening.family == socket.AF_INET6 else options.host
    return f"http://{host}:{listening.getsockname()[1]}"


def _print_start(console: Console, loaded: LoadedProject, options: ServeOptions, address: str, key: AdminKey) -> None:
    """Print what is served where. Programs read the address after ` on ` in the first line."""
    project = loaded.project
    names = ", ".join(flow.name for flow in project.flows) or "none"
    protocols = sorted({each for source in project.sources.values() for each in source.accepts} - {"track"})
    lines = [
        f"[bold]Headrace[/] serves {project.name or 'the project'} on {address}",
        f"  flows     {len(project.flows)}: {names}",
        f"  sources   {', '.join(sorted(project.sources))}",
        *([f"  workers   {options.workers} processes"] if options.workers > 1 else []),
        f"  track     {address}/track",
        *([f"  SDKs      {', '.join(protocols)}, with the host {address}"] if protocols else []),
        f"  API       {address}/schema",
        f"  health    {address}/health/ready",
        f"  admin key in {key.origin}",
        *(
            f"  [red]not served[/] {file}: it has errors (see above); everything else is"
            for file in broken_files(loaded)
        ),
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
