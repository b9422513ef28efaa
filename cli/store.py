"""The store that a command works on: which one a project uses, and who else may use it meanwhile."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from rich.console import Console

import nodes
from engine.ports.resolve import NoSuchProfile, NotFound
from engine.ports.store import Store, Unavailable
from flows.diagnostic import render
from flows.files import SETTINGS
from flows.project import LoadedProject, load_project, only_files
from flows.secret import UNRESOLVED
from storage import open_store
from storage.sqlite.lock import LockedByOther, lock_file
from storage.sqlite.schema import UnusableFile

DEFAULT = "sqlite:headrace.db"
SHARED = {"elasticsearch"}  # kinds of which several processes may serve one store

_PASSWORD = re.compile(r"//[^/@\s]*@")


class CannotStart(Exception):
    """A command cannot begin (exit code 2); the message says why and what to do."""


class StoreAway(CannotStart):
    """A command cannot begin since the store is not there now."""


def load(root: Path, console: Console, *, whole: bool) -> LoadedProject:
    """The project at `root`; what is wrong with it is printed: all of it, or errors of its settings alone.

    Who needs only the settings calls no target, and so needs no secret. Raises `CannotStart` where the settings cannot
    be known.
    """
    if not root.is_dir():
        raise CannotStart(f"{root} is not a directory. `headrace init {root}` makes a project there.")
    loaded = load_project(root, nodes.builtin())
    said = loaded if whole else only_files(loaded, [SETTINGS])
    error = [d for d in said.diagnostics if whole or (d.severity == "error" and d.code != UNRESOLVED)]
    if error:
        console.print(render(error, said.sources, colour=False), markup=False, highlight=False, soft_wrap=True)
    if any(d.file == SETTINGS and d.severity == "error" for d in error):
        raise CannotStart(f"{SETTINGS} has errors (see above), so it is not known where to keep data.")
    return loaded


def url_of(loaded: LoadedProject, given: str | None) -> str:
    """The store to use: the one that was given, else the project's, else a file beside the project."""
    return given or loaded.project.settings.store or DEFAULT


def shown(told: str) -> str:
    """A text without the names and passwords of the URLs in it."""
    return _PASSWORD.sub("//…@", told)


def kind_of(url: str) -> str:
    """The kind of store that a URL names."""
    return url.partition(":")[0]


def file_of(url: str, root: Path) -> Path | None:
    """The file that holds the store; None for other kinds."""
    kind, _, path = url.partition(":")
    return root / (path or "headrace.db") if kind == "sqlite" else None


@contextmanager
def alone(url: str, root: Path, remedy: str = "stop it first, or name another store") -> Iterator[None]:
    """Use a store that one process may write; raises `CannotStart`, with the remedy, when another one does."""
    file = file_of(url, root)
    if file is None:
        yield
        return
    try:
        with lock_file(file):
            yield
    except LockedByOther as held:
        holder = "another process" if held.pid is None else f"process {held.pid}"
        raise CannotStart(f"{file} is being served by {holder}: {remedy}.") from held


@asynccontextmanager
async def opened(url: str, root: Path) -> AsyncIterator[Store]:
    """The store, open. Raises `CannotStart` when it cannot be opened, or cannot be used for what is done with it."""
    try:
        store = open_store(url, root)
    except (ValueError, UnusableFile) as error:
        raise CannotStart(shown(f"{error}.")) from error
    try:
        yield store
    except Unavailable as unavailable:
        told = f"The store {url} cannot be used now: {unavailable.reason}."
        raise StoreAway(shown(told)) from unavailable
    finally:
        await store.close()


async def migrate(url: str, root: Path) -> list[str]:
    """Create or upgrade what the store rests on; what was done, in words. Raises `CannotStart`."""
    async with opened(url, root) as store:
        return await store.migrate()


def missing(console: Console, unknown: NotFound) -> int:
    """Say which profile or step is not there; gives the exit code."""
    told = str(unknown)
    look = "; `headrace search profiles` lists those that there are" if isinstance(unknown, NoSuchProfile) else ""
    console.print(f"{told[:1].upper()}{told[1:]}{look}.", markup=False, highlight=False, soft_wrap=True)
    return 1


def cannot(console: Console, told: str) -> int:
    """Say why a command cannot begin; gives its exit code."""
    console.print(told, style="red", markup=False, highlight=False, soft_wrap=True)
    return 2
