"""The spool of a server: where it keeps payloads while the store does not answer."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cli.store import CommandError
from engine.ports.spool import Spool
from engine.ports.store import Unavailable
from engine.project.project import Settings
from storage.spool.file import UnusableSpool
from storage.spool.folder import own_spool

FOLDER = ".headrace/spool"


def spool_folder(settings: Settings, root: Path, override: Path | None) -> Path | None:
    """The folder of the server's spools: `override` (from `--spool`), else the settings' one; None without a spool."""
    if override is None and not settings.spool:
        return None
    return (root / (override or settings.spool_dir or FOLDER)).resolve()


@contextmanager
def opened_spool(folder: Path | None) -> Iterator[Spool | None]:
    """Open a spool of this process's own in `folder`; None without a folder. Raises `CommandError`."""
    with ExitStack() as stack:
        spool: Spool | None = None
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                (folder / ".gitignore").write_text("*\n")  # payloads do not belong in a repository
                spool = stack.enter_context(own_spool(folder))
        except (UnusableSpool, Unavailable, OSError) as error:
            raise CommandError(f"The spool cannot be opened: {error}. Say --spool DIR for another folder.") from error
        yield spool
