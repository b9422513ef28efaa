"""The store of a project: its address, opening it for a command, and keeping other processes away meanwhile."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

import nodes
from cli.check import no_directory
from cli.console import print_lines
from engine.ports.resolve import NoSuchProfile
from engine.ports.store import Store, Unavailable
from flows.diagnostic import render
from flows.files import SETTINGS
from flows.project import LoadedProject, load_project, only_files
from flows.secret import UNRESOLVED
from storage import open_store
from storage.sqlite.lock import LockedByOther, lock_file
from storage.sqlite.place import no_file
from storage.sqlite.preview import preview
from storage.sqlite.schema import UnusableFile, require_usable_place

DEFAULT = "sqlite:headrace.db"
SHARED = {"elasticsearch"}  # kinds of store that several processes may serve at the same time

_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class CommandError(Exception):
    """A command cannot do its work (exit code 2). The message names the reason and the remedy."""


class StoreUnavailable(CommandError):
    """The store does not answer now; the same command may succeed later."""


def load_and_report(root: Path, console: Console, *, whole: bool) -> LoadedProject:
    """Load the project at `root` and print its problems: all of them, or without `whole` the errors of its settings.

    A command that needs only the settings calls no target, so unresolved secrets do not stop it. Raises `CommandError`
    when `root` is no directory, or when its settings have errors.
    """
    if not root.is_dir():
        raise CommandError(no_directory(root))
    loaded = load_project(root, nodes.builtin())
    reported = loaded if whole else only_files(loaded, [SETTINGS])
    diagnostics = [d for d in reported.diagnostics if whole or (d.severity == "error" and d.code != UNRESOLVED)]
    if diagnostics:
        report = render(diagnostics, reported.sources, colour=False)
        console.print(report, markup=False, highlight=False, soft_wrap=True)
    if any(d.file == SETTINGS and d.severity == "error" for d in diagnostics):
        raise CommandError(f"{SETTINGS} has errors (see above), so it is not known where to keep data.")
    return loaded


def store_url(loaded: LoadedProject, override: str | None) -> str:
    """The address of the store: `override` (from `--store`), else the project's, else a file in its directory."""
    return override or loaded.project.settings.store or DEFAULT


def without_credentials(text: str) -> str:
    """`text` with the user names and passwords of the URLs in it replaced by `…`."""
    return _CREDENTIALS.sub("//…@", text)


def store_kind(url: str) -> str:
    """The kind of store in an address: `sqlite`, `elasticsearch` or `memory`."""
    return url.partition(":")[0]


def sqlite_file(url: str, root: Path) -> Path | None:
    """The file of a SQLite store, relative to the project at `root`; None for other kinds of store."""
    kind, _, path = url.partition(":")
    return root / (path or "headrace.db") if kind == "sqlite" else None


def require_stored_data(url: str, root: Path) -> None:
    """Raise `CommandError` when there can be no data at `url`: in memory, or in a SQLite file that does not exist."""
    if store_kind(url) == "memory":
        raise CommandError("`memory:` holds nothing when no server runs; ask yours with --url, or name its --store.")
    file = sqlite_file(url, root)
    if file is not None and not file.exists():
        raise CommandError(f"There is no store at {file}. Name the one that your server uses by --store.")


@contextmanager
def exclusive_access(url: str, root: Path, remedy: str = "stop it first, or name another store") -> Iterator[None]:
    """Lock a SQLite store, which has one writer; do nothing for other kinds.

    Raises `CommandError` when the file cannot be made or written to, and, ending with `remedy`, when another process
    has locked it.
    """
    file = sqlite_file(url, root)
    if file is None:
        yield
        return
    with ExitStack() as held:
        try:
            require_usable_place(file)
            held.enter_context(lock_file(file))
        except LockedByOther as locked:
            holder = "another process" if locked.pid is None else f"process {locked.pid}"
            raise CommandError(f"{file} is being served by {holder}: {remedy}.") from locked
        except OSError as error:
            raise CommandError(_unusable(UnusableFile(file, no_file(file, error)))) from error
        except UnusableFile as error:
            raise CommandError(_unusable(error)) from error
        yield


@asynccontextmanager
async def opened_store(url: str, root: Path, *, small: bool = False) -> AsyncIterator[Store]:
    """Open the store and close it at the end; `small` is as of `open_store`.

    Raises `CommandError` when it cannot be opened, `StoreUnavailable` when it does not answer within the block.
    """
    try:
        store = open_store(url, root, small=small)
    except (ValueError, UnusableFile) as error:
        raise CommandError(_unusable(error)) from error
    try:
        yield store
    except Unavailable as unavailable:
        message = f"The store {url} cannot be used now: {unavailable.reason}."
        raise StoreUnavailable(without_credentials(message)) from unavailable
    finally:
        await store.close()


def _unusable(error: Exception) -> str:
    return without_credentials(f"{error}.")


async def migrate(url: str, root: Path) -> list[str]:
    """Create or upgrade the store's schema. Returns one readable line per change. Raises `CommandError`."""
    async with opened_store(url, root) as store:
        return await store.migrate()


async def preview_migration(url: str, root: Path) -> list[str]:
    """Return one readable line per change that `migrate` would make to data. Raises `CommandError`."""
    file = sqlite_file(url, root)
    if file is None:
        async with opened_store(url, root) as store:
            return await store.preview_migration()
    try:
        return preview(file)
    except UnusableFile as error:
        raise CommandError(_unusable(error)) from error


def report_not_found(console: Console, error: Exception) -> int:
    """Print which profile, link, segment or collection does not exist. Returns the exit code, 1."""
    text = str(error)
    remedy = "; `headrace search profiles` lists the existing ones" if isinstance(error, NoSuchProfile) else ""
    end = "" if text.endswith("?") else "."
    print_lines(console, [Text(f"{text[:1].upper()}{text[1:]}{remedy}{end}")])
    return 1


def report_error(console: Console, message: str) -> int:
    """Print why a command cannot do its work. Returns the exit code, 2."""
    print_lines(console, [Text(message, style="red")])
    return 2
